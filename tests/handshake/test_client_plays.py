"""The client's states as a play: messages in, all actions out."""

import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.client_authentication import (
    ClientConnected,
    WaitCertificateVerify,
    WaitClientSignature,
    WaitEncryptedExtensions,
    WaitServerFinished,
    WaitServerVerdict,
)
from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.codepoints import ExtensionType, HandshakeType, NamedGroup
from pqproxy.tls.events import Negotiated
from pqproxy.tls.extensions import write_alpn, write_uint16_list
from pqproxy.tls.handshake import (
    ExpectAnswer,
    HandshakeComplete,
    LimitRecords,
    SendChangeCipherSpec,
    SendHandshake,
    Sign,
    UpdateReceiveSecret,
    UseReceiveSecret,
    UseSendSecret,
    VerifyChain,
)
from pqproxy.tls.handshake_client import WaitServerHello
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    key_update_message,
)
from tests.support import pki
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential
from tests.support.playbook import (
    RETRY_RANDOM,
    SHARED_SECRET,
    Play,
    Schedule,
    client_hello,
    entropy,
    message,
    server_hello,
    sign,
    signed_content,
)

X25519, P256 = NamedGroup.x25519, NamedGroup.secp256r1
SERVER = leaf()
CLIENT = credential(pki.root().issue(name="client"))
ALPN = ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION


def client(**config):
    values = {"groups": (X25519,), "key_shares": (X25519,), **config}
    wanted = tls.ClientConfig(PROVIDER, **values)
    context = ClientContext(wanted, KeyExchanges(PROVIDER), entropy)
    offer = ClientOffer.make(context)
    return Play(WaitServerHello(context, offer), [offer.hello.message()])


def retry(**changes):
    """A HelloRetryRequest; its key_share is the group alone."""
    values = {ExtensionType.KEY_SHARE: int(X25519).to_bytes(2, "big"), **changes}
    return server_hello(values, random=RETRY_RANDOM).message()


def meets_server(play, schedule, request=None, extensions=None):
    """All of the server's flight but its Finished, accepted; returns that Finished."""
    if play.state.expects == {HandshakeType.SERVER_HELLO}:
        play.hears(server_hello().message())
    hellos = list(play.messages)
    play.hears(EncryptedExtensions(extensions or {}).message())
    if request:
        play.hears(request)
    play.hears(Certificate(SERVER.chain_der).message())
    play.hears(proof(play))
    play.is_told(tls.Verdict.accept())
    sending = schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", hellos)
    return schedule.finished(sending, play.messages)


def proof(play):
    signature = sign(SERVER, signed_content("server", play.messages))
    return CertificateVerify(0x0403, signature).message()


def negotiated(**changes):
    values = {
        "group": X25519,
        "cipher_suite": tls.CipherSuite.TLS_AES_256_GCM_SHA384,
        "signature_scheme": None,
        "peer_signature_scheme": 0x0403,
        "peer_chain": SERVER.chain_der,
        "server_name": None,
        "alpn_protocol": None,
        "hello_retry": False,
    }
    return Negotiated(**{**values, **changes})


def application_keys(schedule, messages):
    return (
        UseSendSecret(schedule.traffic("CLIENT_TRAFFIC_SECRET_0", messages)),
        UseReceiveSecret(schedule.traffic("SERVER_TRAFFIC_SECRET_0", messages)),
    )


@pytest.mark.parametrize(("hash_name", "suite"), [("sha384", 0x1302), ("sha256", 0x1301)])
def test_a_server_hello_turns_handshake_keys_on_both_ways(hash_name, suite):
    play, schedule = client(), Schedule(hash_name, SHARED_SECRET)

    answer = play.hears(server_hello(cipher_suite=suite).message())

    assert answer == (
        SendChangeCipherSpec(),
        UseSendSecret(schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages)),
        UseReceiveSecret(schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", play.messages)),
    )
    assert isinstance(play.state, WaitEncryptedExtensions)


def test_a_retry_is_answered_with_the_same_hello_and_one_share_of_the_group():
    play = client(groups=(P256, X25519), key_shares=(P256,))
    first = play.state.offer.hello

    answer = play.hears(retry())

    (group,) = play.state.offer.shares
    assert group == X25519
    changed = client_hello().extensions  # of a stranger with the same idea of one share
    second = play.state.offer.hello
    assert answer == (ExpectAnswer(), SendChangeCipherSpec(), SendHandshake(second.message()))
    assert {**second.extensions, ExtensionType.KEY_SHARE: b""} == {
        **first.extensions,
        ExtensionType.KEY_SHARE: b"",
    }
    assert len(second.extensions[ExtensionType.KEY_SHARE]) == len(changed[ExtensionType.KEY_SHARE])
    assert (second.random, second.legacy_session_id) == (first.random, first.legacy_session_id)


def test_after_a_retry_every_secret_covers_it_and_no_second_compatibility_record_goes_out():
    play = client(groups=(P256, X25519), key_shares=(P256,))
    schedule = Schedule("sha384", SHARED_SECRET)
    play.hears(retry())

    answer = play.hears(server_hello().message())

    assert answer == (
        UseSendSecret(schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages)),
        UseReceiveSecret(schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", play.messages)),
    )
    finished = meets_server(play, schedule)
    completed = play.hears(finished)
    assert completed[-1] == HandshakeComplete(negotiated(hello_retry=True))


def test_a_cookie_comes_back_as_it_was_even_without_another_group():
    play = client()
    asked = {ExtensionType.KEY_SHARE: None, ExtensionType.COOKIE: b"\0\5bread"}
    first = play.state.offer.hello

    play.hears(server_hello(asked, random=RETRY_RANDOM).message())

    second = play.state.offer.hello
    assert second.extensions == {**first.extensions, ExtensionType.COOKIE: b"\0\5bread"}


def test_the_server_is_judged_only_after_it_proved_to_have_the_key():
    play = client()
    play.hears(server_hello().message())

    assert play.hears(EncryptedExtensions({}).message()) == ()
    assert play.hears(Certificate(SERVER.chain_der).message()) == ()
    assert isinstance(play.state, WaitCertificateVerify)
    assert play.hears(proof(play)) == (VerifyChain(SERVER.chain_der, "ecdsa-p256"),)
    assert isinstance(play.state, WaitServerVerdict)
    assert play.is_told(tls.Verdict.accept()) == ()
    assert isinstance(play.state, WaitServerFinished)


def test_the_server_finished_is_answered_with_ours_and_application_keys():
    play, schedule = client(), Schedule("sha384", SHARED_SECRET)
    finished = meets_server(play, schedule)
    sending = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages[:2])

    answer = play.hears(finished)

    server_flight = play.messages[:-1]
    assert answer == (
        SendHandshake(schedule.finished(sending, server_flight)),
        *application_keys(schedule, server_flight),
        schedule.exporter(server_flight),
        HandshakeComplete(negotiated()),
    )
    assert play.state == ClientConnected()


def certificate_request(*schemes, **extensions):
    listed = {ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list(schemes)}
    return CertificateRequest({**listed, **extensions}).message()


def test_a_request_is_answered_with_a_chain_and_its_proof_when_that_is_signed():
    play, schedule = client(credentials=(CLIENT,)), Schedule("sha384", SHARED_SECRET)
    finished = meets_server(play, schedule, certificate_request(0x0804, 0x0403))
    sending = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages[:2])

    asked = play.hears(finished)

    server_flight = play.messages[:-1]
    assert asked == (
        SendHandshake(Certificate(CLIENT.chain).message()),
        Sign(CLIENT, "ECDSA-P256-SHA256", signed_content("client", play.messages)),
    )
    assert isinstance(play.state, WaitClientSignature)
    assert play.is_given_signature(b"late") == (
        SendHandshake(CertificateVerify(0x0403, b"late").message()),
        SendHandshake(schedule.finished(sending, play.messages[:-1])),
        *application_keys(schedule, server_flight),
        schedule.exporter(server_flight),
        HandshakeComplete(negotiated(signature_scheme=0x0403)),
    )


@pytest.mark.parametrize("credentials", [(), (CLIENT,)], ids=["none", "of another scheme"])
def test_a_request_that_we_cannot_meet_is_answered_with_an_empty_chain(credentials):
    play, schedule = client(credentials=credentials), Schedule("sha384", SHARED_SECRET)
    finished = meets_server(play, schedule, certificate_request(0x0905))
    sending = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages[:2])

    answer = play.hears(finished)

    assert answer[:2] == (
        SendHandshake(Certificate(()).message()),
        SendHandshake(schedule.finished(sending, play.messages[:-1])),
    )
    assert play.state == ClientConnected()
    assert answer[-1].negotiated.unmet_request == (0x0905,)


def test_answers_of_the_server_take_effect():
    play, schedule = client(alpn_protocols=(b"a", b"b")), Schedule("sha384", SHARED_SECRET)
    play.hears(server_hello().message())
    answers = {ALPN: write_alpn((b"b",)), ExtensionType.RECORD_SIZE_LIMIT: b"\x01\x00"}

    assert play.hears(EncryptedExtensions(answers).message()) == (LimitRecords(255),)

    again, schedule = client(alpn_protocols=(b"a", b"b")), Schedule("sha384", SHARED_SECRET)
    completed = again.hears(meets_server(again, schedule, extensions=answers))
    assert completed[-1] == HandshakeComplete(negotiated(alpn_protocol=b"b"))


def test_a_rejected_server_ends_with_the_alert_and_the_reason_of_the_verdict():
    play = client()
    play.hears(server_hello().message())
    play.hears(EncryptedExtensions({}).message())
    play.hears(Certificate(SERVER.chain_der).message())
    play.hears(proof(play))

    with pytest.raises(FatalAlert) as caught:
        play.is_told(tls.Verdict.reject(AlertDescription.UNKNOWN_CA, "nobody knows it"))

    assert caught.value.description is AlertDescription.UNKNOWN_CA
    assert caught.value.reason == "nobody knows it"


def test_after_the_handshake_only_tickets_and_key_updates_come():
    play = Play(ClientConnected())
    ticket = message(HandshakeType.NEW_SESSION_TICKET, bytes(8) + b"\0" + b"\0\1t" + b"\0\0")

    assert play.hears(ticket) == ()
    assert play.hears(key_update_message(update_requested=True)) == (UpdateReceiveSecret(True),)
    assert play.state == ClientConnected()
    assert play.state.expects == {HandshakeType.NEW_SESSION_TICKET, HandshakeType.KEY_UPDATE}
