"""What holds for every handshake message: round trips, prefixes, trailing bytes, any bytes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codec import Writer
from pqproxy.tls.codepoints import ExtensionType, HandshakeType
from pqproxy.tls.extensions import (
    KeyShareEntry,
    read_alpn,
    read_client_shares,
    read_cookie,
    read_record_size_limit,
    read_server_name,
    read_server_share,
    read_uint16_list,
    write_alpn,
    write_server_name,
    write_uint16_list,
)
from pqproxy.tls.messages import (
    MAX_BODY,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    HandshakeMessage,
    MessageReader,
    NewSessionTicket,
    ServerHello,
    read_key_update,
)
from pqproxy.tls.pre_shared_key import OfferedPsks, PskIdentity, read_psk_key_exchange_modes

ALL_EXTENSIONS = frozenset(range(2**16))
MEANINGLESS = st.integers(1000, 65_535)  # extension types that no message is judged by

uint16 = st.integers(0, 65_535)
extension_blocks = st.dictionaries(MEANINGLESS, st.binary(max_size=20), max_size=5)
hellos = st.builds(
    ClientHello,
    legacy_version=uint16,
    random=st.binary(min_size=32, max_size=32),
    legacy_session_id=st.binary(max_size=32),
    cipher_suites=st.lists(uint16, min_size=1, max_size=5).map(tuple),
    legacy_compression_methods=st.binary(min_size=1, max_size=3),
    extensions=extension_blocks,
)
server_hellos = st.builds(
    ServerHello,
    random=st.binary(min_size=32, max_size=32),
    legacy_session_id_echo=st.binary(max_size=32),
    cipher_suite=uint16,
    extensions=extension_blocks,
    legacy_version=uint16,
    legacy_compression_method=st.integers(0, 255),
)
encrypted_extensions = st.builds(EncryptedExtensions, extension_blocks)
requests = st.builds(CertificateRequest, extension_blocks)
chains = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
certificates = st.builds(Certificate, chains.map(tuple))
proofs = st.builds(CertificateVerify, uint16, st.binary(max_size=80))
uint32 = st.integers(0, 2**32 - 1)
tickets = st.builds(
    NewSessionTicket,
    uint32,
    uint32,
    st.binary(max_size=9),
    st.binary(min_size=1, max_size=40),
    extension_blocks,
)
offered_psks = st.lists(
    st.tuples(st.binary(min_size=1, max_size=40), uint32, st.binary(min_size=32, max_size=48)),
    min_size=1,
    max_size=3,
).map(
    lambda entries: OfferedPsks(
        tuple(PskIdentity(identity, age) for identity, age, _ in entries),
        tuple(binder for _, _, binder in entries),
    )
)


def read_encrypted_extensions(body):
    return EncryptedExtensions.read(body, ALL_EXTENSIONS)


MESSAGES = st.one_of(
    st.tuples(hellos, st.just(ClientHello.read)),
    st.tuples(server_hellos, st.just(ServerHello.read)),
    st.tuples(encrypted_extensions, st.just(read_encrypted_extensions)),
    st.tuples(requests, st.just(CertificateRequest.read)),
    st.tuples(certificates, st.just(Certificate.read)),
    st.tuples(proofs, st.just(CertificateVerify.read)),
    st.tuples(tickets, st.just(NewSessionTicket.read)),
)
READERS = [
    ClientHello.read,
    ServerHello.read,
    read_encrypted_extensions,
    CertificateRequest.read,
    Certificate.read,
    CertificateVerify.read,
    NewSessionTicket.read,
    read_key_update,
    read_client_shares,
    read_server_share,
    read_server_name,
    read_alpn,
    read_cookie,
    read_record_size_limit,
    OfferedPsks.read,
    read_psk_key_exchange_modes,
    lambda data: read_uint16_list(data, "x"),
    lambda data: read_uint16_list(data, "x", prefix=1),
]


def read_or_alert(read, data):
    """What was read, or the alert that refused it."""
    try:
        return read(data)
    except FatalAlert as error:
        return error.description


@given(MESSAGES)
def test_a_message_is_read_back_as_it_was_written(case):
    message, read = case

    assert read(message.message().body) == message


@given(offered_psks)
def test_a_list_of_keys_is_read_back_as_it_was_written(psks):
    assert OfferedPsks.read(psks.write()) == psks


@given(offered_psks, hellos)
def test_what_a_binder_covers_ends_where_the_binders_begin(psks, hello):
    """Their lengths are in the hello all the same: only the list itself is cut off."""
    ending = replace(
        hello, extensions={**hello.extensions, ExtensionType.PRE_SHARED_KEY: psks.write()}
    )
    whole, covered = ending.message().encode(), psks.truncate(ending.message())
    binders = b"".join(bytes((len(binder),)) + binder for binder in psks.binders)

    assert covered + len(binders).to_bytes(2, "big") + binders == whole


@given(offered_psks, st.data())
def test_a_prefix_of_a_list_of_keys_is_refused(psks, data):
    written = psks.write()
    prefix = written[: data.draw(st.integers(0, len(written) - 1))]

    assert read_or_alert(OfferedPsks.read, prefix) is AlertDescription.DECODE_ERROR


@given(MESSAGES, st.data())
def test_a_prefix_of_a_message_is_refused(case, data):
    """But for a hello that ends where its extensions would begin: those of old versions do."""
    message, read = case
    body = message.message().body
    prefix = body[: data.draw(st.integers(0, len(body) - 1))]
    outcome = read_or_alert(read, prefix)

    assert outcome is AlertDescription.DECODE_ERROR or outcome.extensions == {}


@given(MESSAGES, st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_refused(case, trailing):
    message, read = case

    with pytest.raises(FatalAlert):
        read(message.message().body + trailing)


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=60)
@given(data=st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(read, data):
    assert read_or_alert(read, data) is not AlertDescription.INTERNAL_ERROR


@given(MESSAGES, st.data())
def test_a_message_with_a_byte_changed_is_read_or_refused(case, data):
    message, read = case
    body = bytearray(message.message().body)
    if body:
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    found = read_or_alert(read, bytes(body))

    assert isinstance(found, AlertDescription) or read(found.message().body) == found


key_shares = st.lists(
    st.builds(KeyShareEntry, uint16, st.binary(min_size=1, max_size=40)),
    max_size=5,
    unique_by=lambda share: share.group,
)


@given(key_shares)
def test_key_shares_are_read_back_as_they_were_written(shares):
    data = Writer().opaque(b"".join(share.write() for share in shares), 2).finish()

    assert read_client_shares(data) == tuple(shares)


@given(st.lists(uint16, min_size=1, max_size=50).map(tuple))
def test_lists_are_read_back_as_they_were_written(values):
    assert read_uint16_list(write_uint16_list(values), "x") == values


@given(st.lists(st.binary(min_size=1, max_size=255), min_size=1, max_size=4).map(tuple))
def test_protocols_are_read_back_as_they_were_written(protocols):
    assert read_alpn(write_alpn(protocols)) == protocols


@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=255))
def test_server_names_are_read_back_as_they_were_written(name):
    assert read_server_name(write_server_name(name)) == name


@given(
    st.lists(st.tuples(st.sampled_from(sorted(MAX_BODY)), st.binary(max_size=30)), max_size=5),
    st.data(),
)
def test_messages_come_out_whole_however_they_are_cut(messages, data):
    wanted = [HandshakeMessage(kind, body) for kind, body in messages]
    stream = b"".join(message.encode() for message in wanted)
    reader, found = MessageReader(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:size])
        stream = stream[size:]
        while (message := reader.next_message(frozenset(HandshakeType))) is not None:
            found.append(message)

    assert found == wanted
    assert reader.is_empty


def test_no_meaningless_extension_has_a_meaning():
    assert all(extension < 1000 for extension in ExtensionType)
