"""The traces of RFC 8448, value by value: key schedule, transcript, records and messages."""

import hashlib

import pytest

from pqproxy.tls import CipherSuite
from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_exchange import X25519Key
from pqproxy.tls.key_schedule import (
    EarlySecret,
    HandshakeSecret,
    MainSecret,
    derive_secret,
    finished_verify_data,
    hkdf_expand_label,
    hkdf_extract,
    traffic_keys,
)
from pqproxy.tls.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    HandshakeMessage,
    MessageReader,
    NewSessionTicket,
    ServerHello,
)
from pqproxy.tls.record import HEADER_LENGTH, ReceiveProtection, SendProtection
from pqproxy.tls.secrets import Secret
from tests.support.hostile import seal
from tests.vectors import traces
from tests.vectors.traces import CLIENT, FULL, RESUMED, RETRY, SECTIONS, SERVER, SUITE

each_trace = pytest.mark.parametrize("section", SECTIONS)
each_full_trace = pytest.mark.parametrize("section", FULL)

# The labels of traffic secrets, in the order in which a side turns them on.
GENERATIONS = {
    SERVER: ("s hs traffic", "s ap traffic"),
    CLIENT: ("c hs traffic", "c ap traffic"),
}


def shared_secret(trace):
    return Secret(trace.extracted("handshake")["IKM"])


# Key schedule


@each_trace
def test_every_extraction(section):
    trace = traces.load(section)
    steps = trace.find("extract secret")

    assert len(steps) == 3
    for step in steps:
        found = hkdf_extract(SUITE, step.values["salt"] or bytes(32), step.values["IKM"])
        assert found.expose() == step.values["secret"], step.name


@each_trace
def test_every_derived_secret(section):
    trace = traces.load(section)
    steps = [*trace.find("derive secret"), *trace.find("generate resumption secret")]

    assert steps
    for step in steps:
        label = step.name.split('"')[1].removeprefix("tls13 ").encode()
        secret = Secret(step.values["PRK"])
        found = hkdf_expand_label(SUITE, secret, label, step.values["hash"], 32)

        assert found == step.values["expanded"], step.name
        assert derive_secret(SUITE, secret, label, step.values["hash"]).expose() == found
    assert len(steps) >= 8


@each_trace
def test_every_traffic_key_and_iv(section):
    steps = [step for step in traces.load(section).steps if "key expanded" in step.values]
    for step in steps:
        keys = traffic_keys(SUITE, Secret(step.values["PRK"]))

        assert (keys.key, keys.iv) == (step.values["key expanded"], step.values["iv expanded"])
    assert len(steps) >= 4


@each_full_trace
def test_the_stages_lead_to_every_secret_of_a_full_handshake(section):
    trace = traces.load(section)
    early = EarlySecret.without_psk(SUITE)
    handshake = early.handshake_secret(shared_secret(trace))
    main = handshake.main_secret()

    assert early.secret.expose() == trace.extracted("early")["secret"]
    assert handshake.secret.expose() == trace.extracted("handshake")["secret"]
    assert main.secret.expose() == trace.extracted("master")["secret"]
    check_stages(trace, handshake, main)


def test_the_stages_lead_to_every_secret_of_a_resumed_handshake():
    """The first stage comes from a ticket there; the others are ours."""
    trace = traces.load(RESUMED)
    early = EarlySecret(SUITE, Secret(trace.extracted("early")["secret"]))
    handshake = early.handshake_secret(shared_secret(trace))

    check_stages(trace, handshake, handshake.main_secret())


def check_stages(trace, handshake: HandshakeSecret, main: MainSecret):
    for label, derive in {
        "c hs traffic": handshake.client_handshake_traffic_secret,
        "s hs traffic": handshake.server_handshake_traffic_secret,
        "c ap traffic": main.client_application_traffic_secret_0,
        "s ap traffic": main.server_application_traffic_secret_0,
        "exp master": main.exporter_secret,
        "res master": main.resumption_secret,
    }.items():
        assert derive(trace.derivation_hash(label)) == trace.secret(label), label


@pytest.mark.parametrize("section", [s for s in SECTIONS if s != RETRY])
def test_x25519_gives_both_sides_the_shared_secret(section):
    trace = traces.load(section)
    client = X25519Key(lambda _: trace.private_key(CLIENT))
    server = X25519Key(lambda _: trace.private_key(SERVER))

    assert client.complete(server.key_exchange) == shared_secret(trace)
    assert server.complete(client.key_exchange) == shared_secret(trace)


# Transcript


def transcript(trace, upto):
    """The Transcript-Hash up to and including the message of that name."""
    running = Transcript(SUITE)
    for step in trace.find("construct a"):
        for name, data in step.values.items():
            message = HandshakeMessage(data[0], data[4:])
            running = running.plus(message)
            if name == "ServerHello" and ServerHello.read(message.body).is_hello_retry_request:
                first = Transcript(SUITE).plus(trace.message("ClientHello"))
                running = first.replaced_by_hash().plus(message)
            if (step.side, name) == upto and _is_last(trace, upto, data):
                return running.hash()
    raise AssertionError(upto)


def _is_last(trace, upto, data):
    """Of two ServerHellos only the second is one; the first asks to try again."""
    side, name = upto
    found = [s.values[name] for s in trace.find("construct a", side) if name in s.values]
    return data == found[-1]


@each_full_trace
def test_the_transcript_hash_at_every_point_that_derives_secrets(section):
    trace = traces.load(section)

    assert transcript(trace, (SERVER, "ServerHello")) == trace.derivation_hash("c hs traffic")
    assert transcript(trace, (SERVER, "Finished")) == trace.derivation_hash("s ap traffic")
    assert transcript(trace, (CLIENT, "Finished")) == trace.derivation_hash("res master")


@each_full_trace
@pytest.mark.parametrize("side", [SERVER, CLIENT])
def test_both_finished_messages(section, side):
    trace = traces.load(section)
    messages = trace.messages()
    finished = trace.message("Finished", side).encode()
    covered = messages[: messages.index(finished)]
    if section == RETRY:  # the first hello counts as its hash
        stand_in = b"\xfe\0\0\x20" + hashlib.sha256(covered[0]).digest()
        covered[0] = stand_in
    digest = hashlib.sha256(b"".join(covered)).digest()

    label = GENERATIONS[side][0]
    assert finished_verify_data(SUITE, trace.secret(label), digest) == finished[4:]


# Messages


READ = {
    1: ClientHello.read,
    2: ServerHello.read,
    4: NewSessionTicket.read,
    8: lambda body: EncryptedExtensions.read(body, frozenset({0, 10, 28, 42})),
    11: Certificate.read,
    13: CertificateRequest.read,
    15: CertificateVerify.read,
}


@each_trace
def test_every_message_reads_and_writes_back_byte_for_byte(section):
    checked = 0
    for data in traces.load(section).messages():
        reader = MessageReader()
        reader.feed(data)
        message = reader.next_message(frozenset({data[0]})) if data[0] in READ else None
        if message is None:  # no parts, or a hello that is given without its binders
            continue
        value = READ[message.type](message.body)
        checked += 1

        assert value.message().encode() == data
    assert checked >= 2


# Records


def generation(step):
    """Which of a side's secrets protects this record."""
    if step.name == "send handshake record" and step.values["payload"][0] not in (4, 24):
        return 0
    return 1


@each_trace
@pytest.mark.parametrize("side", [SERVER, CLIENT])
def test_every_protected_record_decrypts_and_encrypts_back_byte_for_byte(section, side):
    trace = traces.load(section)
    secrets = [trace.secret(label) for label in GENERATIONS[side]]
    receiving = [ReceiveProtection(SUITE, secret) for secret in secrets]
    sending = [SendProtection(SUITE, secret) for secret in secrets]
    count = 0
    for step in trace.find("send", side):
        payload, record = step.values["payload"], step.values["complete record"]
        if record[0] != ContentType.APPLICATION_DATA or is_early(trace, step):
            continue
        index = generation(step)
        content_type, content = receiving[index].unprotect(memoryview(bytearray(record)))

        assert bytes(content) == payload
        assert seal(sending[index], content_type, payload) == record
        assert content_type == kind_of(step)
        count += 1
    assert count >= 2


def is_early(trace, step):
    """Early data and what ends it have keys of their own, which this engine never has."""
    offers_early_data = trace is traces.load(RESUMED)
    return offers_early_data and step.values["payload"] in (b"ABCDEF", b"\5\0\0\0")


def kind_of(step):
    names = {
        "send handshake record": ContentType.HANDSHAKE,
        "send application_data record": ContentType.APPLICATION_DATA,
        "send alert record": ContentType.ALERT,
    }
    return names[step.name]


def test_early_data_decrypts_under_its_secret():
    trace = traces.load(RESUMED)
    receiving = ReceiveProtection(SUITE, trace.secret("c e traffic"))
    early = [step for step in trace.find("send", CLIENT) if is_early(trace, step)]

    assert len(early) == 2
    for step in early:
        content = receiving.unprotect(memoryview(bytearray(step.values["complete record"])))[1]
        assert bytes(content) == step.values["payload"]


@each_trace
def test_every_plaintext_record_is_its_payload_behind_a_header(section):
    for payload, record in traces.load(section).records():
        if record[0] != ContentType.APPLICATION_DATA:
            assert record[HEADER_LENGTH:] == payload


def test_the_traces_use_one_suite():
    assert SUITE.suite is CipherSuite.TLS_AES_128_GCM_SHA256
    for section in SECTIONS:
        hello = ServerHello.read(traces.load(section).message("ServerHello").body)
        assert hello.cipher_suite == SUITE.suite
