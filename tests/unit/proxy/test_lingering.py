import contextlib
import socket
import struct

import pytest

from pqproxy.proxy import lingering


@pytest.fixture
def lingerers(world):
    return world.engine.lingerers


def refused(world, said=b"alert", before=b""):
    """A peer's socket, our side of which was told `said` and lingers; `before` waits unread."""
    ours, peer = world.tcp_pair()
    peer.send(before)
    ours.send(said)
    assert world.engine.lingerers.take(ours)
    return peer


def push(world, peer, count):
    """Send that many bytes, as fast as they are taken."""
    sent = 0

    def pushed():
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            while sent < count:
                sent += peer.send(bytes(min(count - sent, 1 << 16)))
        return sent == count

    world.until(pushed)


def settle(world, lingerers):
    """Let everything that has arrived be read."""
    world.turn(300)
    return len(lingerers)


def test_a_refused_peer_may_go_on_sending_then_reads_why_then_fin(world, lingerers):
    """A close with input in the queue would be a reset, and may cost it the alert."""
    peer = refused(world, before=b"x" * 100_000)
    push(world, peer, 1_000_000)

    assert world.read_all(peer, 5) == b"alert"
    assert peer.recv(1) == b""
    assert len(lingerers) == 1

    peer.close()
    world.until(lambda: not lingerers)


@pytest.mark.parametrize("last", [b"", b"last words"], ids=["alone", "with data before it"])
def test_a_fin_of_the_peer_ends_it(world, lingerers, last):
    peer = refused(world)
    peer.send(last)
    peer.shutdown(socket.SHUT_WR)

    world.until(lambda: not lingerers)
    assert world.read_all(peer, 5) == b"alert"


def test_a_reset_of_the_peer_ends_it(world, lingerers):
    peer = refused(world)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()

    world.until(lambda: not lingerers)


def test_a_peer_that_is_gone_already_is_not_waited_for(world, lingerers):
    ours, peer = world.tcp_pair()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()

    assert not lingerers.take(ours)
    assert not lingerers


def test_a_peer_that_stays_is_let_go_when_its_time_is_up(world, lingerers, monkeypatch):
    monkeypatch.setattr(lingering, "SECONDS", 0.2)
    peer = refused(world)
    begun = world.loop.time()
    world.until(lambda: not lingerers)

    assert world.loop.time() - begun >= 0.19  # uvloop counts milliseconds
    assert world.read_all(peer, 5) == b"alert"
    assert peer.recv(1) == b""


def test_who_goes_on_sending_gains_no_time(world, lingerers, monkeypatch):
    """Bytes move no deadline: a slow drip would hold the descriptor for ever."""
    monkeypatch.setattr(lingering, "SECONDS", 0.2)
    peer = refused(world)

    def dripping():
        with contextlib.suppress(ConnectionError):
            peer.send(b"x")
        return not lingerers

    world.until(dripping)


def test_up_to_its_bytes_a_peer_is_read_and_not_one_byte_more(world, lingerers, monkeypatch):
    monkeypatch.setattr(lingering, "SECONDS", 60.0)
    peer = refused(world)
    push(world, peer, lingering.BYTES)
    assert settle(world, lingerers) == 1

    peer.send(b"x")
    world.until(lambda: not lingerers)


def test_so_many_linger_and_not_one_more(world, lingerers, monkeypatch):
    """Beyond the cap the caller closes at once, so a flood holds no more descriptors than that."""
    monkeypatch.setattr(lingering, "SECONDS", 60.0)
    peers = []
    for _ in range(lingering.SOCKETS):
        ours, peer = world.unix_pair()
        assert lingerers.take(ours)
        peers.append(peer)
    ours, _ = world.unix_pair()

    assert not lingerers.take(ours)
    assert ours.fileno() >= 0, "it is still the caller's"

    peers[0].close()
    world.until(lambda: len(lingerers) < lingering.SOCKETS)
    assert lingerers.take(ours)


def test_reading_for_refused_peers_waits_for_the_time_that_handshakes_have(world, monkeypatch):
    """A thousand peers that send nonsense must not hold up the tokens of others."""
    monkeypatch.setattr("pqproxy.proxy.poller.HANDSHAKE_BUDGET", 0)
    peer = refused(world, before=b"x")
    peer.close()
    assert settle(world, world.engine.lingerers) == 1

    monkeypatch.undo()
    world.until(lambda: not world.engine.lingerers)


def test_closing_leaves_nothing_behind(world, lingerers):
    """No timer, no descriptor: a drain must not wait for any of them."""
    peers = [refused(world) for _ in range(3)]
    lingerers.close()

    assert not lingerers
    assert not world.engine.poller._handlers
    assert [world.read_all(peer, 5) for peer in peers] == [b"alert"] * 3


def test_one_that_fails_inside_is_closed(world, lingerers, monkeypatch, caplog):
    peer = refused(world)
    monkeypatch.setattr(lingerers, "scratch", None)
    peer.send(b"x")
    world.until(lambda: not lingerers)

    assert "TypeError" in caplog.text
