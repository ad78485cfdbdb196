"""The server's states as a play, without client certificates: messages in, all actions out."""

import pytest

from pqproxy import tls
from pqproxy.tls.alerts import FatalAlert
from pqproxy.tls.codepoints import ExtensionType, HandshakeType, NamedGroup
from pqproxy.tls.events import Negotiated, Offer
from pqproxy.tls.extensions import write_alpn, write_uint16_list
from pqproxy.tls.handshake import (
    ExpectAnswer,
    HandshakeComplete,
    LimitRecords,
    Proceed,
    ReportOffer,
    SendChangeCipherSpec,
    SendHandshake,
    Sign,
    SkipEarlyData,
    UpdateReceiveSecret,
    UseReceiveSecret,
    UseSendSecret,
)
from pqproxy.tls.handshake_server import WaitClientHello, WaitSecondClientHello
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.messages import (
    Certificate,
    CertificateVerify,
    EncryptedExtensions,
    ServerHello,
    key_update_message,
)
from pqproxy.tls.server_authentication import (
    ServerConnected,
    ServerContext,
    WaitFinished,
    WaitServerSignature,
)
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential
from tests.support.playbook import (
    OUR_KEY,
    OUR_RANDOM,
    PEER_RANDOM,
    RETRY_RANDOM,
    SESSION_ID,
    SHARED_SECRET,
    VERSION,
    Play,
    Schedule,
    client_hello,
    entropy,
    public,
    share,
    shares,
    signed_content,
)

X25519 = NamedGroup.x25519
OWN = credential(leaf())


def server(**config):
    wanted = tls.ServerConfig((OWN,), PROVIDER, **{"groups": (X25519,), **config})
    return Play(WaitClientHello(ServerContext(wanted, KeyExchanges(PROVIDER), entropy)))


def server_hello(suite=0x1302):
    extensions = {
        ExtensionType.SUPPORTED_VERSIONS: VERSION,
        ExtensionType.KEY_SHARE: share(X25519, public(OUR_KEY)),
    }
    return ServerHello(OUR_RANDOM, SESSION_ID, suite, extensions).message()


def offer(**changes):
    values = {
        "supported_versions": (0x0304,),
        "supported_groups": (X25519,),
        "key_shares": (X25519,),
        "signature_schemes": (0x0403,),
        "server_name": None,
        "alpn_protocols": (),
        "client_random": PEER_RANDOM,
    }
    return Offer(**{**values, **changes})


def negotiated(**changes):
    values = {
        "group": X25519,
        "cipher_suite": tls.CipherSuite.TLS_AES_256_GCM_SHA384,
        "signature_scheme": 0x0403,
        "peer_signature_scheme": None,
        "peer_chain": (),
        "server_name": None,
        "alpn_protocol": None,
        "hello_retry": False,
    }
    return Negotiated(**{**values, **changes})


def meets(play, hello):
    """The answer to a first hello, after it was read and checked."""
    play.hears(hello.message())
    play.proceeds()
    return play.proceeds()


def test_a_hello_is_reported_before_it_is_judged():
    play = server()

    heard = play.hears(client_hello(cipher_suites=(0x1303,)).message())

    assert heard == (ReportOffer(offer()), Proceed(play.state))


def test_a_hello_of_an_older_version_is_reported_too():
    """Whoever has to mend that client wants to know what its library has."""
    play = server()

    heard = play.hears(client_hello({ExtensionType.SUPPORTED_VERSIONS: None}).message())

    assert heard == (ReportOffer(offer(supported_versions=())), Proceed(play.state))
    with pytest.raises(FatalAlert) as refused:
        play.proceeds()
    assert refused.value.description is tls.AlertDescription.PROTOCOL_VERSION


@pytest.mark.parametrize("group", [X25519, tls.NamedGroup.X25519MLKEM768])
def test_whether_its_groups_pass_every_policy_is_said_before_they_are_chosen_from(group):
    """So it is known even of a client that is refused for something else later."""
    play = server(groups=(tls.NamedGroup.X25519MLKEM768, X25519))
    changes = {
        ExtensionType.SUPPORTED_GROUPS: write_uint16_list((group,)),
        ExtensionType.KEY_SHARE: b"\0\0",
    }
    play.hears(client_hello(changes, cipher_suites=(0x1303,)).message())

    said = offer(supported_groups=(group,), key_shares=(), post_quantum=group != X25519)
    assert play.proceeds() == (ReportOffer(said), Proceed(play.state))


@pytest.mark.parametrize(("hash_name", "suite"), [("sha384", 0x1302), ("sha256", 0x1301)])
def test_a_hello_with_a_share_is_answered_up_to_the_signature(hash_name, suite):
    play, schedule = server(), Schedule(hash_name, SHARED_SECRET)

    answer = meets(play, client_hello(cipher_suites=(0x1303, suite)))

    hellos = play.messages[:2]
    assert answer == (
        SendHandshake(server_hello(suite)),
        SendChangeCipherSpec(),
        UseSendSecret(schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", hellos)),
        UseReceiveSecret(schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", hellos)),
        SkipEarlyData(skip=False),
        SendHandshake(EncryptedExtensions({}).message()),
        SendHandshake(Certificate(OWN.chain).message()),
        Sign(OWN, "ECDSA-P256-SHA256", signed_content("server", play.messages, hash_name)),
    )
    assert isinstance(play.state, WaitServerSignature)


def test_the_signature_completes_the_flight_and_turns_application_keys_on_for_sending_only():
    play, schedule = server(), Schedule("sha384", SHARED_SECRET)
    meets(play, client_hello())

    answer = play.is_given_signature(b"signature")

    sending = schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", play.messages[:2])
    assert answer == (
        SendHandshake(CertificateVerify(0x0403, b"signature").message()),
        SendHandshake(schedule.finished(sending, play.messages[:-1])),
        UseSendSecret(schedule.traffic("SERVER_TRAFFIC_SECRET_0", play.messages)),
        schedule.exporter(play.messages),
    )
    assert isinstance(play.state, WaitFinished)


def test_the_client_finished_turns_its_application_key_on_before_completing():
    play, schedule = server(), Schedule("sha384", SHARED_SECRET)
    meets(play, client_hello())
    play.is_given_signature(b"signature")
    receiving = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages[:2])
    server_flight = list(play.messages)

    answer = play.hears(schedule.finished(receiving, server_flight))

    assert answer == (
        UseReceiveSecret(schedule.traffic("CLIENT_TRAFFIC_SECRET_0", server_flight)),
        HandshakeComplete(negotiated()),
    )
    assert play.state == ServerConnected()


def test_without_a_session_id_no_compatibility_record_is_sent():
    answer = meets(server(), client_hello(legacy_session_id=b""))

    assert SendChangeCipherSpec() not in answer


def test_a_hello_without_a_share_for_our_group_is_asked_for_one():
    """Only what a retry may say: version and group, with the session id and the suite echoed."""
    play = server()

    answer = meets(play, client_hello({ExtensionType.KEY_SHARE: shares()}))

    retry = ServerHello(
        RETRY_RANDOM,
        SESSION_ID,
        0x1302,
        {ExtensionType.SUPPORTED_VERSIONS: VERSION, ExtensionType.KEY_SHARE: b"\x00\x1d"},
    )
    assert answer == (SendHandshake(retry.message()), ExpectAnswer(), SendChangeCipherSpec())
    assert isinstance(play.state, WaitSecondClientHello)


def test_the_second_hello_is_answered_over_a_transcript_that_begins_with_a_hash():
    """No second compatibility record, and every secret covers the retry (§4.1)."""
    play, schedule = server(), Schedule("sha384", SHARED_SECRET)
    meets(play, client_hello({ExtensionType.KEY_SHARE: shares()}))

    answer = play.hears(client_hello().message())

    hellos = play.messages[:4]
    assert answer == (
        SendHandshake(server_hello()),
        UseSendSecret(schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", hellos)),
        UseReceiveSecret(schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", hellos)),
        SkipEarlyData(skip=False),
        SendHandshake(EncryptedExtensions({}).message()),
        SendHandshake(Certificate(OWN.chain).message()),
        Sign(OWN, "ECDSA-P256-SHA256", signed_content("server", play.messages)),
    )


def test_after_a_retry_the_handshake_ends_as_any_other_and_says_that_there_was_one():
    play, schedule = server(), Schedule("sha384", SHARED_SECRET)
    meets(play, client_hello({ExtensionType.KEY_SHARE: shares()}))
    play.hears(client_hello().message())
    play.is_given_signature(b"signature")
    receiving = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages[:4])
    server_flight = list(play.messages)

    answer = play.hears(schedule.finished(receiving, server_flight))

    assert answer == (
        UseReceiveSecret(schedule.traffic("CLIENT_TRAFFIC_SECRET_0", server_flight)),
        HandshakeComplete(negotiated(hello_retry=True)),
    )


def test_extensions_are_answered_and_only_those_that_were_asked_for():
    play = server(alpn_protocols=(b"pqproxy/1", b"http/1.1"))
    asked = {
        ExtensionType.RECORD_SIZE_LIMIT: b"\x08\x00",
        ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: write_alpn((b"h2", b"http/1.1")),
        0x5A5A: b"grease",
    }

    answer = meets(play, client_hello(asked))

    answered = {
        ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: write_alpn((b"http/1.1",)),
        ExtensionType.RECORD_SIZE_LIMIT: b"\x40\x01",
    }
    assert SendHandshake(EncryptedExtensions(answered).message()) in answer
    assert LimitRecords(0x0800 - 1) in answer
    assert answer.index(LimitRecords(0x0800 - 1)) == 2  # before anything is protected


@pytest.mark.parametrize("retry", [False, True])
def test_early_data_is_passed_over_and_never_answered(retry):
    """Its offer has no pre_shared_key here, which makes it pointless, not malformed."""
    play = server()
    early = {ExtensionType.EARLY_DATA: b""}
    extra = {ExtensionType.KEY_SHARE: shares()} if retry else {}

    answer = meets(play, client_hello({**early, **extra}))

    assert SkipEarlyData(skip=True) in answer
    if retry:
        assert SkipEarlyData(skip=False) in play.hears(client_hello().message())


def test_a_key_update_changes_the_receiving_key_and_nothing_else():
    play = Play(ServerConnected())

    assert play.hears(key_update_message(update_requested=True)) == (UpdateReceiveSecret(True),)
    assert play.hears(key_update_message(update_requested=False)) == (UpdateReceiveSecret(False),)
    assert play.state == ServerConnected()
    assert play.state.expects == {HandshakeType.KEY_UPDATE}


def test_a_post_quantum_group_is_worth_a_retry_even_where_a_classical_share_is_there():
    hybrid = NamedGroup.X25519MLKEM768
    play = server(groups=(hybrid, X25519))
    groups = write_uint16_list((X25519, hybrid))

    meets(play, client_hello({ExtensionType.SUPPORTED_GROUPS: groups}))

    assert play.state.selection.group == hybrid
