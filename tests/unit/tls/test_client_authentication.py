import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.client_authentication import (
    ClientConnected,
    HandshakeKeys,
    Progress,
    WaitCertificate,
    WaitCertificateOrRequest,
    WaitCertificateVerify,
    WaitEncryptedExtensions,
)
from pqproxy.tls.client_hello import ClientContext
from pqproxy.tls.codepoints import CipherSuite, ExtensionType, HandshakeType
from pqproxy.tls.events import Negotiated
from pqproxy.tls.extensions import write_alpn, write_uint16_list
from pqproxy.tls.handshake import LimitRecords, Transcript
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.key_schedule import SUITES, EarlySecret
from pqproxy.tls.messages import Certificate, CertificateRequest, EncryptedExtensions
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER
from tests.support.playbook import entropy, message

SUITE = SUITES[CipherSuite.TLS_AES_256_GCM_SHA384]
ALPN, LIMIT = (
    ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
    ExtensionType.RECORD_SIZE_LIMIT,
)
DECODE_ERROR, ILLEGAL_PARAMETER = AlertDescription.DECODE_ERROR, AlertDescription.ILLEGAL_PARAMETER


def progress(**config):
    secret = EarlySecret.without_psk(SUITE).handshake_secret(tls.Secret(bytes(32)))
    context = ClientContext(tls.ClientConfig(PROVIDER, **config), KeyExchanges(PROVIDER), entropy)
    negotiated = Negotiated(0x11EC, SUITE.suite, 0, None, (), None, None, False)
    return Progress(context, Transcript(SUITE), HandshakeKeys.derive(secret, bytes(48)), negotiated)


def after_extensions(extensions, requested=(ALPN, LIMIT, ExtensionType.SERVER_NAME), **config):
    state = WaitEncryptedExtensions(progress(**config), frozenset(requested))
    return state.on_message(EncryptedExtensions(extensions).message())


def refused(call):
    with pytest.raises(FatalAlert) as caught:
        call()
    return caught.value.description


def test_the_protocol_that_was_selected_is_what_was_negotiated():
    step = after_extensions({ALPN: write_alpn((b"b",))}, alpn_protocols=(b"a", b"b"))

    assert step.next_state.progress.negotiated.alpn_protocol == b"b"
    assert after_extensions({}).next_state.progress.negotiated.alpn_protocol is None


def test_a_client_may_insist_on_its_protocol():
    wanted = {"alpn_protocols": (b"a",), "alpn_required": True}

    step = after_extensions({ALPN: write_alpn((b"a",))}, **wanted)

    assert step.next_state.progress.negotiated.alpn_protocol == b"a"
    assert refused(lambda: after_extensions({}, **wanted)) is (
        AlertDescription.NO_APPLICATION_PROTOCOL
    )


@pytest.mark.parametrize(
    ("extensions", "description"),
    [
        ({ALPN: write_alpn((b"c",))}, ILLEGAL_PARAMETER),
        ({ALPN: write_alpn((b"a", b"b"))}, DECODE_ERROR),
        ({ALPN: b"\0\0"}, DECODE_ERROR),
        ({ExtensionType.SERVER_NAME: b"x"}, DECODE_ERROR),
        ({LIMIT: b"\x40\x02"}, ILLEGAL_PARAMETER),
        ({LIMIT: b"\0\x3f"}, ILLEGAL_PARAMETER),
        ({LIMIT: b"\0"}, DECODE_ERROR),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(extensions, description):
    assert refused(lambda: after_extensions(extensions, alpn_protocols=(b"a", b"b"))) is description


@pytest.mark.parametrize(("limit", "fragment"), [(64, 63), (2**14 + 1, 2**14)])
def test_the_limit_of_the_server_counts_the_type_byte(limit, fragment):
    step = after_extensions({LIMIT: limit.to_bytes(2, "big")})

    assert step.actions == (LimitRecords(fragment),)


@pytest.mark.parametrize("groups", [(0x001D,), (0x0A0A, 0x11EC)])
def test_groups_of_the_server_are_read_and_not_acted_upon(groups):
    extensions = {ExtensionType.SUPPORTED_GROUPS: write_uint16_list(groups)}

    step = after_extensions(extensions, requested=(ExtensionType.SUPPORTED_GROUPS,))

    assert step.actions == ()


def test_every_message_moves_the_transcript():
    before = progress()
    after = after_extensions({}).next_state.progress

    assert before.transcript.hash() != after.transcript.hash()


@pytest.mark.parametrize(
    ("extensions", "description"),
    [
        ({}, AlertDescription.MISSING_EXTENSION),
        ({ExtensionType.SIGNATURE_ALGORITHMS: b"\0\0"}, DECODE_ERROR),
        ({ExtensionType.SIGNATURE_ALGORITHMS: b"\0\3\4\3\4"}, DECODE_ERROR),
        ({ExtensionType.SIGNATURE_ALGORITHMS: b"\0\2\4\3\0"}, DECODE_ERROR),
    ],
)
def test_a_request_is_judged_as_soon_as_it_is_there(extensions, description):
    request = CertificateRequest(extensions).message()

    assert refused(lambda: WaitCertificateOrRequest(progress()).on_message(request)) is description


def test_a_request_may_say_more_than_we_know():
    said = {
        0x5A5A: b"grease",
        ExtensionType.SERVER_NAME: b"",
        ExtensionType.CERTIFICATE_AUTHORITIES: b"\0\3\0\1x",
        ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list((0x5A5A, 0x0403)),
    }

    step = WaitCertificateOrRequest(progress()).on_message(CertificateRequest(said).message())

    assert isinstance(step.next_state, WaitCertificate)
    assert step.next_state.progress.requested_schemes == (0x5A5A, 0x0403)


def test_a_chain_is_taken_with_or_without_a_request_before_it():
    chain = Certificate(leaf().chain_der).message()

    for state in (WaitCertificateOrRequest(progress()), WaitCertificate(progress())):
        assert isinstance(state.on_message(chain).next_state, WaitCertificateVerify)


def test_a_server_without_a_certificate_is_refused():
    assert refused(lambda: WaitCertificate(progress()).on_message(Certificate(()).message())) is (
        DECODE_ERROR
    )


def test_a_second_request_is_not_expected():
    assert WaitCertificate(progress()).expects == {HandshakeType.CERTIFICATE}


def test_a_proof_is_over_the_transcript_up_to_the_certificate():
    """The same signature over any other transcript is wrong (here: over nothing)."""
    state = WaitCertificateVerify(progress(), leaf().chain_der)
    signature = PROVIDER.signatures["ECDSA-P256-SHA256"].sign(leaf().key, b"")
    body = b"\x04\x03" + len(signature).to_bytes(2, "big") + signature

    assert (
        refused(lambda: state.on_message(message(HandshakeType.CERTIFICATE_VERIFY, body)))
        is AlertDescription.DECRYPT_ERROR
    )


def test_keys_of_both_directions_differ():
    keys = progress().keys

    assert keys.sending.secret != keys.receiving.secret
    assert keys.sending.label == "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
    assert keys.receiving.label == "SERVER_HANDSHAKE_TRAFFIC_SECRET"


@pytest.mark.parametrize("lifetime", [0, 604800, 2**32 - 1])
def test_a_ticket_is_read_and_not_kept(lifetime):
    body = lifetime.to_bytes(4, "big") + bytes(4) + b"\1n" + b"\0\1t" + b"\0\4\x5a\x5a\0\0"

    step = ClientConnected().on_message(message(HandshakeType.NEW_SESSION_TICKET, body))

    assert step.actions == ()
    assert step.next_state == ClientConnected()
