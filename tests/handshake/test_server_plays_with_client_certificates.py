"""The server's states as a play, where it asks for the client's certificate."""

import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import ExtensionType, HandshakeType, NamedGroup
from pqproxy.tls.config import ClientAuthentication
from pqproxy.tls.extensions import write_uint16_list
from pqproxy.tls.handshake import (
    HandshakeComplete,
    SendHandshake,
    UseReceiveSecret,
    VerifyChain,
)
from pqproxy.tls.handshake_server import WaitClientHello
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.messages import Certificate, CertificateRequest, CertificateVerify
from pqproxy.tls.server_authentication import (
    ServerContext,
    WaitCertificate,
    WaitCertificateVerify,
    WaitClientVerdict,
    WaitFinished,
)
from tests.support import pki
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential
from tests.support.playbook import (
    SHARED_SECRET,
    Play,
    Schedule,
    client_hello,
    entropy,
    sign,
    signed_content,
)

REQUEST, REQUIRE = ClientAuthentication.REQUEST, ClientAuthentication.REQUIRE
asking = pytest.mark.parametrize("asks", [REQUEST, REQUIRE])
CLIENT = pki.root().issue(uris=("spiffe://corp/client",), name="client")
SCHEMES = (0x0403, 0x0905)
CHAIN_SCHEMES = (0x0401, 0x0403)


def server_after_its_flight(asks):
    """The play, its secrets, and what the server sent before its signature."""
    wanted = tls.ServerConfig(
        (credential(leaf()),),
        PROVIDER,
        groups=(NamedGroup.x25519,),
        client_authentication=asks,
        signature_schemes=SCHEMES,
        chain_signature_schemes=CHAIN_SCHEMES,
    )
    play = Play(WaitClientHello(ServerContext(wanted, KeyExchanges(PROVIDER), entropy)))
    play.hears(client_hello().message())
    play.proceeds()
    answer = play.proceeds()
    play.is_given_signature(b"signature")
    return play, Schedule("sha384", SHARED_SECRET), answer


def proof(play, by=CLIENT, scheme=0x0403):
    """The client's CertificateVerify over all that was said."""
    signature = sign(by, signed_content("client", play.messages))
    return CertificateVerify(scheme, signature).message()


def finished(play, schedule):
    key = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages[:2])
    return schedule.finished(key, play.messages)


def refused(call):
    with pytest.raises(FatalAlert) as caught:
        call()
    return caught.value


@asking
def test_the_request_says_which_schemes_are_accepted_and_in_chains_too(asks):
    play, _schedule, answer = server_after_its_flight(asks)

    request = CertificateRequest(
        {
            ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list(SCHEMES),
            ExtensionType.SIGNATURE_ALGORITHMS_CERT: write_uint16_list(CHAIN_SCHEMES),
        }
    )
    sent = [action.message for action in answer if isinstance(action, SendHandshake)]
    assert [message.type for message in sent] == [
        HandshakeType.SERVER_HELLO,
        HandshakeType.ENCRYPTED_EXTENSIONS,
        HandshakeType.CERTIFICATE_REQUEST,
        HandshakeType.CERTIFICATE,
    ]
    assert sent[2] == request.message()
    assert isinstance(play.state, WaitCertificate)


@asking
def test_a_chain_is_judged_only_after_its_holder_proved_to_have_the_key(asks):
    play, schedule, _answer = server_after_its_flight(asks)
    server_flight = list(play.messages)

    assert play.hears(Certificate(CLIENT.chain_der).message()) == ()
    assert isinstance(play.state, WaitCertificateVerify)
    assert play.hears(proof(play)) == (VerifyChain(CLIENT.chain_der, "ecdsa-p256"),)
    assert isinstance(play.state, WaitClientVerdict)
    assert play.is_told(tls.Verdict.accept()) == ()
    assert isinstance(play.state, WaitFinished)

    use_receive_secret, complete = play.hears(finished(play, schedule))
    # Application secrets cover the server's flight; the client's own messages are not in them.
    application = schedule.traffic("CLIENT_TRAFFIC_SECRET_0", server_flight)
    assert use_receive_secret == UseReceiveSecret(application)
    assert isinstance(complete, HandshakeComplete)
    assert complete.negotiated.peer_chain == CLIENT.chain_der
    assert complete.negotiated.peer_signature_scheme == 0x0403


def test_a_client_that_was_only_asked_may_stay_unknown():
    play, schedule, _answer = server_after_its_flight(REQUEST)

    assert play.hears(Certificate(()).message()) == ()
    assert isinstance(play.state, WaitFinished)

    _keys, complete = play.hears(finished(play, schedule))
    assert complete.negotiated.peer_chain == ()
    assert complete.negotiated.peer_signature_scheme is None


def test_a_client_that_must_have_a_certificate_and_has_none_is_refused():
    play, _schedule, _answer = server_after_its_flight(REQUIRE)

    alert = refused(lambda: play.hears(Certificate(()).message()))

    assert alert.description is AlertDescription.CERTIFICATE_REQUIRED
    # It may have one of another kind, and shows it to nobody who did not ask for it.
    assert alert.reason.startswith("the client has no certificate that signs with ecdsa_secp256r1")


@asking
def test_a_rejected_chain_ends_with_the_alert_and_the_reason_of_the_verdict(asks):
    play, _schedule, _answer = server_after_its_flight(asks)
    play.hears(Certificate(CLIENT.chain_der).message())
    play.hears(proof(play))

    verdict = tls.Verdict.reject(AlertDescription.ACCESS_DENIED, "not on the list")
    alert = refused(lambda: play.is_told(verdict))

    assert alert.description is AlertDescription.ACCESS_DENIED
    assert alert.reason == "not on the list"


@asking
def test_a_proof_with_another_key_is_refused_before_the_chain_is_judged(asks):
    play, _schedule, _answer = server_after_its_flight(asks)
    play.hears(Certificate(CLIENT.chain_der).message())
    stranger = pki.root().issue(name="stranger")

    alert = refused(lambda: play.hears(proof(play, by=stranger)))

    assert alert.description is AlertDescription.DECRYPT_ERROR


@asking
def test_a_proof_of_the_server_cannot_be_handed_back_to_it(asks):
    """The context string keeps the two roles apart, even with one key for both."""
    play, _schedule, _answer = server_after_its_flight(asks)
    play.hears(Certificate(CLIENT.chain_der).message())
    reflected = sign(CLIENT, signed_content("server", play.messages))

    alert = refused(lambda: play.hears(CertificateVerify(0x0403, reflected).message()))

    assert alert.description is AlertDescription.DECRYPT_ERROR


@asking
def test_a_scheme_that_was_not_asked_for_proves_nothing(asks):
    play, _schedule, _answer = server_after_its_flight(asks)
    holder = pki.root().issue(algorithm="ecdsa-p384", name="p384")
    play.hears(Certificate(holder.chain_der).message())

    alert = refused(lambda: play.hears(CertificateVerify(0x0503, b"x").message()))

    assert alert.description is AlertDescription.ILLEGAL_PARAMETER


@asking
def test_finished_instead_of_a_proof_is_not_expected(asks):
    """A chain without a proof would let anyone in under anyone's name."""
    play, _schedule, _answer = server_after_its_flight(asks)
    play.hears(Certificate(CLIENT.chain_der).message())

    assert play.state.expects == {HandshakeType.CERTIFICATE_VERIFY}


def test_a_server_that_does_not_ask_expects_no_certificate():
    play, _schedule, answer = server_after_its_flight(ClientAuthentication.NONE)

    assert play.state.expects == {HandshakeType.FINISHED}
    kinds = {a.message.type for a in answer if isinstance(a, SendHandshake)}
    assert HandshakeType.CERTIFICATE_REQUEST not in kinds
