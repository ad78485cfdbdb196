"""How a connection ends: close_notify, an alert, or the stream cut off (§6.1)."""

import pytest

from pqproxy import tls
from tests.handshake.deviations.scenes import ALERT, DATA, HANDSHAKE
from tests.support.deviation import Scene, assert_inert
from tests.support.hostile import records

roles = pytest.mark.parametrize("role", ["server", "client"])
CLOSE_NOTIFY, USER_CANCELED = b"\1\0", b"\1\x5a"


def connected(role):
    return Scene(role).play()


def kinds(scene):
    return [type(event) for event in scene.subject.events]


@roles
def test_close_notify_ends_one_direction_and_the_other_goes_on(role):
    scene = connected(role)
    scene.says(ALERT, CLOSE_NOTIFY, stage="application")

    assert kinds(scene)[-1] is tls.PeerClosed
    assert not scene.subject.closed
    scene.subject.send(b"still here")
    scene.hear()
    assert (DATA, b"still here") in scene.contents
    assert scene.alerts == []  # no close_notify of its own: that is for the application to say


@roles
def test_after_our_close_notify_the_peer_may_go_on(role):
    scene = connected(role)
    scene.subject.close()
    scene.hear()
    scene.says(DATA, b"a long answer", stage="application")

    assert bytes(scene.subject.received) == b"a long answer"
    assert scene.alerts == [(1, 0)]
    assert not scene.subject.closed


@roles
def test_both_directions_closed_is_the_end(role):
    scene = connected(role)
    scene.subject.close()
    scene.hear()
    scene.says(ALERT, CLOSE_NOTIFY, stage="application")

    assert kinds(scene)[-1] is tls.PeerClosed
    assert_inert(scene.subject.connection)


@roles
def test_what_comes_after_close_notify_is_ignored(role):
    """Even what would be refused before it, and even in the same read."""
    scene = connected(role)
    scene.says(ALERT, CLOSE_NOTIFY, stage="application")
    scene.says(DATA, b"too late", stage="application")
    scene.says(ALERT, b"\2\x28", stage="application")
    scene.feed(b"GET / HTTP/1.1\r\n")
    scene.subject.feed_eof()

    assert kinds(scene).count(tls.PeerClosed) == 1
    assert kinds(scene)[-1] is tls.PeerClosed
    assert bytes(scene.subject.received) == b""
    assert scene.subject.connection.held == 0


@roles
def test_after_our_close_notify_nothing_more_is_said_not_even_an_alert(role):
    scene = connected(role)
    scene.subject.close()
    scene.hear()
    scene.subject.send(b"too late")
    scene.subject.close()
    scene.feed(b"\x17\3\3\0\x20" + bytes(32))

    assert scene.failure.alert == 20
    assert scene.alerts == [(1, 0)]
    assert scene.contents[-1] == (ALERT, CLOSE_NOTIFY)


@roles
@pytest.mark.parametrize("when", ["at first", "within the handshake", "after it"])
def test_a_stream_that_is_cut_off_is_never_a_clean_end(role, when):
    scene = Scene(role)
    if when == "within the handshake":
        scene.until_our_flight()
    elif when == "after it":
        scene.play()
    scene.subject.feed_eof()
    scene.subject.feed_eof()

    assert kinds(scene).count(tls.Truncated) == 1
    assert kinds(scene)[-1] is tls.Truncated
    assert tls.PeerClosed not in kinds(scene)


@roles
@pytest.mark.parametrize("left", [1, 5, 6, 20])
def test_a_record_that_is_cut_off_is_truncation(role, left):
    scene = connected(role)
    scene.subject.send(b"x")
    scene.hear()
    scene.feed((b"\x17\3\3\0\x40" + bytes(64))[:left])
    scene.subject.feed_eof()

    assert kinds(scene)[-1] is tls.Truncated


@roles
def test_close_notify_and_the_end_of_the_stream_together_are_a_clean_end(role):
    scene = connected(role)
    scene.says(ALERT, CLOSE_NOTIFY, stage="application")
    scene.subject.feed_eof()

    assert tls.Truncated not in kinds(scene)


@roles
def test_a_peer_that_cancels_may_still_close(role):
    scene = connected(role)
    scene.says(ALERT, USER_CANCELED, stage="application")
    scene.says(ALERT, CLOSE_NOTIFY, stage="application")

    assert kinds(scene)[-1] is tls.PeerClosed


@roles
@pytest.mark.parametrize("content", [CLOSE_NOTIFY, b"\2\0"])
def test_close_notify_within_the_handshake_is_no_clean_end(role, content):
    """Nothing was agreed on, so nothing was said that could be complete."""
    scene = Scene(role).until_our_flight()
    scene.says(ALERT, content)

    assert scene.failure.by_peer
    assert scene.failure.alert == 0
    assert tls.PeerClosed not in kinds(scene)
    assert_inert(scene.subject.connection)


def test_a_plaintext_alert_after_our_server_hello_is_answered_and_named():
    """A client that cannot follow our answer has no keys; nor has whoever forges its alert."""
    scene = Scene("server").until_our_flight()
    scene.says_plainly(ALERT, b"\2\x30")

    assert not scene.failure.by_peer
    assert scene.failure.alert == 10
    assert scene.failure.reason == "peer said unknown_ca (unauthenticated)"
    assert scene.alerts == [(2, 10)]


def test_a_client_hears_of_its_refusal_after_it_finished():
    """The server's verdict on a certificate comes when the client already thinks it is in."""
    rejected = tls.Verdict.reject(tls.AlertDescription.ACCESS_DENIED, "not on the list")
    scene = Scene(
        "server",
        ours={"client_authentication": tls.ClientAuthentication.REQUIRE},
        judge=lambda _: rejected,
        peer_has_certificate=True,
    ).play()

    assert scene.peer.handshake_complete
    assert scene.peer.failure.by_peer
    assert scene.peer.failure.authenticated
    assert scene.peer.failure.alert_name == "access_denied"


@roles
def test_data_and_close_notify_in_one_read_come_in_their_order(role):
    scene = connected(role)
    peer = scene.peer
    peer.send(b"last words")
    peer.close()
    scene.feed(peer.take())

    assert bytes(scene.subject.received) == b"last words"
    assert kinds(scene)[-1] is tls.PeerClosed


def test_a_flight_ends_with_the_alert_that_refuses_the_hello_behind_it():
    """What was queued before the alert is whole: a peer can read both."""
    scene = Scene("server", behind={1: b"\x14"}).play()

    sent = records(bytes(scene.said))
    assert [record[0] for record in sent] == [HANDSHAKE, 20, DATA]
    assert scene.contents[-1] == (ALERT, b"\2\x0a")
