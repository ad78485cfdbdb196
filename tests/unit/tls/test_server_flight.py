import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, ExtensionType, HandshakeType, NamedGroup
from pqproxy.tls.config import ClientAuthentication
from pqproxy.tls.extensions import KeyShareEntry, read_server_share
from pqproxy.tls.handshake import LimitRecords, SendHandshake, Sign, SkipEarlyData, Transcript
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.messages import (
    Certificate,
    CertificateRequest,
    EncryptedExtensions,
    ServerHello,
)
from pqproxy.tls.negotiation import CredentialChoice, read_offer
from pqproxy.tls.server_authentication import ServerContext
from pqproxy.tls.server_flight import Answer, Selection
from tests.support import pki
from tests.support.loopback import PROVIDER, credential
from tests.support.playbook import OUR_RANDOM, PEER_KEY, SESSION_ID, client_hello, entropy, public

X25519, HYBRID = NamedGroup.x25519, NamedGroup.X25519MLKEM768
SUITE = SUITES[CipherSuite.TLS_AES_256_GCM_SHA384]
PEER_SHARE = KeyShareEntry(X25519, public(PEER_KEY))
CHAIN = pki.root().intermediate().issue(dns=("llm.test",), algorithm="mldsa65", name="deep")


def answer(extensions=None, share=PEER_SHARE, alpn=None, after_retry=False, leaf=CHAIN, **config):
    """The step, for a hello with these extensions."""
    own = credential(leaf)
    wanted = tls.ServerConfig((own,), PROVIDER, groups=(share.group,), **config)
    context = ServerContext(wanted, KeyExchanges(PROVIDER), entropy)
    hello = client_hello(extensions)
    choice = CredentialChoice(own, tls.SCHEMES.get(0x0905))
    selection = Selection(SUITE.suite, share.group, choice, alpn)
    sending = Answer(context, hello, read_offer(hello), selection, after_retry)
    return sending.send(Transcript(SUITE).plus(hello.message()), share)


def sent(step):
    return [action.message for action in step.actions if isinstance(action, SendHandshake)]


def test_the_messages_come_in_their_one_right_order():
    asked = [m.type for m in sent(answer(client_authentication=ClientAuthentication.REQUIRE))]
    unasked = [m.type for m in sent(answer())]

    hello, extensions, certificate = (
        HandshakeType.SERVER_HELLO,
        HandshakeType.ENCRYPTED_EXTENSIONS,
        HandshakeType.CERTIFICATE,
    )
    assert asked == [hello, extensions, HandshakeType.CERTIFICATE_REQUEST, certificate]
    assert unasked == [hello, extensions, certificate]


def test_the_server_hello_echoes_what_it_must_and_says_no_more():
    hello = ServerHello.read(sent(answer())[0].body)

    assert (hello.legacy_version, hello.legacy_compression_method) == (0x0303, 0)
    assert hello.legacy_session_id_echo == SESSION_ID
    assert hello.random == OUR_RANDOM
    assert list(hello.extensions) == [ExtensionType.SUPPORTED_VERSIONS, ExtensionType.KEY_SHARE]


def test_a_hybrid_share_is_answered_with_ciphertext_and_point():
    client = KeyExchanges(PROVIDER)[HYBRID].offer(lambda length: b"\7" * length)

    step = answer(share=KeyShareEntry(HYBRID, client.key_exchange))

    share = read_server_share(ServerHello.read(sent(step)[0].body).extensions[51])
    assert share.group == HYBRID
    assert len(share.key_exchange) == 1088 + 32


def test_the_whole_chain_is_sent_and_signed_with_the_chosen_scheme():
    step = answer()

    assert Certificate.read(sent(step)[-1].body).chain == CHAIN.chain_der
    assert len(CHAIN.chain_der) == 2
    request = step.actions[-1]
    assert isinstance(request, Sign)
    assert request.algorithm == "ML-DSA-65"
    assert request.content.startswith(b" " * 64 + b"TLS 1.3, server CertificateVerify\0")


def test_what_is_written_once_is_still_written_for_each_listener():
    """A renewed certificate, or another listener of the process, is not answered with the last."""
    renewed = pki.root().intermediate().issue(dns=("llm.test",), algorithm="mldsa65", name="deep")
    demands = ((0x0905, 0x0403), (0x0905,))
    seen = []
    for leaf in (CHAIN, renewed, CHAIN):
        for schemes in demands:
            step = answer(
                leaf=leaf,
                client_authentication=ClientAuthentication.REQUIRE,
                signature_schemes=schemes,
                chain_signature_schemes=schemes[:1],
            )
            request, certificate = sent(step)[-2:]
            seen.append((Certificate.read(certificate.body).chain, request.body))

    assert CHAIN.chain_der != renewed.chain_der
    assert [chain for chain, _ in seen] == [
        leaf.chain_der for leaf in (CHAIN, renewed, CHAIN) for _ in demands
    ]
    asked = [CertificateRequest.read(body).extensions for _, body in seen]
    of_each = [{13: b"\0\4\x09\5\4\3", 50: b"\0\2\x09\5"}, {13: b"\0\2\x09\5", 50: b"\0\2\x09\5"}]
    assert asked == of_each * 3


def test_only_what_was_asked_for_is_answered():
    plain = EncryptedExtensions.read(sent(answer())[1].body, frozenset())
    asked = answer({ExtensionType.RECORD_SIZE_LIMIT: b"\x40\x01"}, alpn=b"pqproxy/1")

    full = EncryptedExtensions.read(sent(asked)[1].body, frozenset({16, 28}))
    assert plain.extensions == {}
    assert full.extensions == {16: b"\0\x0a\x09pqproxy/1", 28: b"\x40\x01"}


@pytest.mark.parametrize("limit", [64, 1000, 2**14 + 1, 2**16 - 1])
def test_the_limit_of_the_client_counts_the_type_byte(limit):
    """A client may name more than TLS 1.3 allows: a server must not refuse that (RFC 8449 §4)."""
    step = answer({ExtensionType.RECORD_SIZE_LIMIT: limit.to_bytes(2, "big")})

    assert LimitRecords(limit - 1) in step.actions


@pytest.mark.parametrize("early_data", [True, False])
def test_early_data_is_skipped_where_it_was_offered(early_data):
    step = answer({ExtensionType.EARLY_DATA: b""} if early_data else {})

    assert SkipEarlyData(skip=early_data) in step.actions


def test_what_was_negotiated_says_whether_there_was_a_retry():
    assert answer(after_retry=True).next_state.finish.negotiated.hello_retry
    assert not answer().next_state.finish.negotiated.hello_retry


def test_a_bad_share_is_refused_before_anything_is_sent():
    with pytest.raises(FatalAlert) as caught:
        answer(share=KeyShareEntry(X25519, bytes(32)))

    assert caught.value.description is AlertDescription.ILLEGAL_PARAMETER
