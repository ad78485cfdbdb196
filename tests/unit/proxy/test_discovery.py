import pytest

from pqproxy.proxy import discovery
from pqproxy.proxy.discovery import Discovery
from pqproxy.tls import AlertDescription, Failed

NO_PROTOCOL = AlertDescription.NO_APPLICATION_PROTOCOL
MINUTE = 60.0


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def known(clock):
    return Discovery(clock)


def failure(alert=NO_PROTOCOL, by_peer=True):
    return Failed(alert, "as it said", by_peer=by_peer)


def test_tunnels_are_offered_to_whoever_is_not_known(known):
    assert known.offers_tunnels("a:1")


def test_a_server_that_refuses_them_is_tried_once_more_and_remembered(known):
    """Each connection would fail at first otherwise."""
    assert known.failed("a:1", failure())

    assert not known.offers_tunnels("a:1")
    assert known.offers_tunnels("a:2")


@pytest.mark.parametrize(
    "other",
    [
        None,
        failure(by_peer=False),
        failure(AlertDescription.HANDSHAKE_FAILURE),
        failure(AlertDescription.INSUFFICIENT_SECURITY),
        failure(AlertDescription.ACCESS_DENIED),
    ],
)
def test_no_other_failure_is_worth_a_second_try(known, other):
    """Above all none about groups: a second connection must never ask for less."""
    assert not known.failed("a:1", other)

    assert known.offers_tunnels("a:1")


@pytest.mark.parametrize("protocol", [None, b"http/1.1"])
def test_a_server_that_selects_something_else_is_remembered_too(known, protocol):
    known.completed("a:1", protocol)

    assert not known.offers_tunnels("a:1")


def test_after_ten_minutes_a_server_is_asked_again(known, clock):
    """It may be a sidecar by then."""
    known.failed("a:1", failure())

    clock.now += 10 * MINUTE - 1
    assert not known.offers_tunnels("a:1")
    clock.now += 1
    assert known.offers_tunnels("a:1")


def test_whoever_speaks_tunnels_is_no_longer_taken_for_a_standard_server(known):
    known.failed("a:1", failure())

    known.completed("a:1", b"pqproxy/1")

    assert known.offers_tunnels("a:1")


def test_what_is_remembered_is_bounded(known, monkeypatch):
    """Names may resolve to ever other addresses."""
    monkeypatch.setattr(discovery, "MOST_ENDPOINTS", 2)

    for endpoint in ("a", "b", "a", "c"):
        known.failed(endpoint, failure())

    assert [known.offers_tunnels(endpoint) for endpoint in "abc"] == [False, True, False]
