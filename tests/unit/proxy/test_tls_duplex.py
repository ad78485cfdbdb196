import contextlib
import os
import socket
import struct

import pytest

from pqproxy import tls
from pqproxy.config.values import Timeouts
from pqproxy.proxy.buffers import BULK, FIRST_READ, LooseBatch
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.peer_alerts import HandshakeFailed
from pqproxy.proxy.signer import attempt
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.splice import Splice
from pqproxy.proxy.tls_duplex import _SHORT_READ, TlsDuplex
from pqproxy.proxy.vigil import Vigils
from pqproxy.telemetry.reasons import EndReason
from tests.support import pki
from tests.support.loopback import PROVIDER, Endpoint, credential

from .conftest import Recorder
from .sidecars import how_it_ends

LEAF = pki.root("ecdsa-p256").issue(dns=("llm.test",))
SLOW_LEAF = pki.root("mldsa65").issue(dns=("llm.test",))


def accept(_chain):
    return tls.Verdict.accept()


class TlsPeer:
    """A TLS client of ours, by hand, at the other end of a socket."""

    def __init__(self, world, sock, endpoint=None):
        self.world, self.sock = world, sock
        self.end = endpoint or Endpoint.client()
        self.how = None  # "fin" or "reset"

    def step(self):
        self.flush()
        try:
            while data := self.sock.recv(1 << 18):
                self.end.feed(data)
            self.how = self.how or "fin"
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.how = "reset"
        self.flush()

    def flush(self):
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while output := self.end.take():
                self.sock.setblocking(True)
                self.sock.sendall(output)
                self.sock.setblocking(False)

    def until(self, condition, seconds=5.0):
        def tried():
            self.step()
            return condition()

        self.world.until(tried, seconds)

    def send(self, data):
        self.end.send(data)
        self.step()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def server_side(world, leaf=LEAF, judge=accept, small=False, **config):
    """(our TlsDuplex as a server, the peer), handshake not begun."""
    ours, theirs = world.tcp_pair(small)
    connection = tls.ServerConnection(tls.ServerConfig((credential(leaf),), PROVIDER, **config))
    return TlsDuplex(ours, world.engine, CLIENT, connection, judge), TlsPeer(world, theirs)


def connected(world, **options):
    """(duplex, its sink, the peer), after the handshake."""
    duplex, peer = server_side(world, **options)
    peer.until(lambda: duplex.handshake.done() and peer.end.handshake_complete)
    duplex.handshake.result()
    sink = Recorder()
    duplex.attach(sink)
    return duplex, sink, peer


def loose(world, data):
    return LooseBatch(world.pool, [memoryview(data)])


def slots(world, data):
    """Data as one read of a plaintext socket would bring it."""
    batch = world.pool.slots
    position = 0
    for payload in batch.payloads:
        part = data[position : position + len(payload)]
        payload[: len(part)] = part
        position += len(part)
    batch.length = len(data)
    return batch


class Joined:
    """TLS client <-> TlsDuplex <-> splice <-> SocketDuplex <-> server."""

    def __init__(self, world, small=False):
        self.world = world
        self.tls, _, self.client = connected(world, small=small)
        ours, self.server = world.tcp_pair(small)
        self.plain = SocketDuplex(ours, world.engine, UPSTREAM)
        self.reasons = []
        self.splice = Splice(
            self.tls, self.plain, Vigils(Timeouts(), world.loop), self.reasons.append
        )

    def exchange(self):
        self.client.send(b"question")
        assert self.world.read_all(self.server, 8) == b"question"
        self.server.send(b"answer")
        self.client.until(lambda: self.client.end.received == b"answer")

    def server_sees(self):
        return how_it_ends(self.world, self.server)


# The handshake.


def test_a_handshake_says_what_was_negotiated(world):
    duplex, _, _ = connected(world)

    assert duplex.handshake.result().group_name == "X25519MLKEM768"


def test_both_roles_speak_to_each_other(world):
    ours, theirs = world.tcp_pair()
    server_config = tls.ServerConfig((credential(LEAF),), PROVIDER)
    server = TlsDuplex(ours, world.engine, CLIENT, tls.ServerConnection(server_config), accept)
    client_config = tls.ClientConfig(PROVIDER, server_name="llm.test")
    connection = tls.ClientConnection(client_config)
    client = TlsDuplex(theirs, world.engine, UPSTREAM, connection, accept)
    world.until(lambda: server.handshake.done() and client.handshake.done())
    sink = Recorder()
    server.attach(sink)
    server.resume()
    client.write(loose(world, b"hello"))

    world.until(lambda: sink.received == b"hello")
    assert client.handshake.result().peer_chain == LEAF.chain_der


def test_a_slow_signature_is_made_on_a_thread_while_the_loop_goes_on(world):
    duplex, _, _ = connected(world, leaf=SLOW_LEAF)

    assert duplex.handshake.result().signature_name == "mldsa65"


def test_a_hello_that_comes_byte_by_byte_is_understood(world):
    duplex, peer = server_side(world)
    for byte in peer.end.take():
        peer.sock.send(bytes((byte,)))
        world.turn(1)

    peer.until(lambda: duplex.handshake.done() and peer.end.handshake_complete)
    duplex.handshake.result()


def test_nonsense_gets_one_alert_then_fin_and_a_reason(world):
    duplex, peer = server_side(world)
    peer.sock.send(b"GET / HTTP/1.1\r\n\r\n")
    world.until(duplex.handshake.done)
    peer.until(lambda: peer.how)

    failed = duplex.handshake.exception().failed
    assert failed.not_tls
    assert duplex.closed
    assert peer.how == "fin"
    assert peer.end.failure.alert == tls.AlertDescription.UNEXPECTED_MESSAGE


def test_a_rejected_chain_sends_the_alert_of_the_verdict(world):
    """The client is done with its handshake and may be in the middle of its request."""

    def judge(_chain):
        return tls.Verdict.reject(tls.AlertDescription.ACCESS_DENIED, "not on the list")

    ours, theirs = world.tcp_pair()
    config = tls.ServerConfig(
        (credential(LEAF),), PROVIDER, client_authentication=tls.ClientAuthentication.REQUIRE
    )
    duplex = TlsDuplex(ours, world.engine, CLIENT, tls.ServerConnection(config), judge)
    peer = TlsPeer(world, theirs, Endpoint.client(LEAF))
    peer.until(lambda: duplex.handshake.done())
    peer.end.send(bytes(3_000_000))
    world.run(world.loop.sock_sendall(theirs, peer.end.take()))
    peer.until(lambda: peer.how)

    assert duplex.handshake.exception().failed.reason == "not on the list"
    assert peer.end.failure.alert == tls.AlertDescription.ACCESS_DENIED
    assert peer.how == "fin"


@pytest.mark.parametrize("leave", ["fin", "reset"])
def test_a_peer_that_leaves_in_the_handshake_is_no_alert(world, leave):
    duplex, peer = server_side(world)
    peer.sock.send(peer.end.take()[:100])
    world.turn()
    peer.sock.close() if leave == "fin" else peer.reset()
    world.until(duplex.handshake.done)

    assert isinstance(duplex.handshake.exception(), HandshakeFailed)
    assert duplex.handshake.exception().failed is None
    assert duplex.closed


def test_a_peer_that_leaves_while_a_signature_is_made_costs_nothing_more(world):
    duplex, peer = server_side(world, leaf=SLOW_LEAF)
    work = []
    world.engine.signer.sign = lambda sign, done: work.append((sign, done))
    peer.until(lambda: work)
    peer.reset()
    world.until(duplex.handshake.done)
    sign, done = work[0]
    done(attempt(sign))
    world.turn(10)

    assert duplex.handshake.exception().failed is None
    with pytest.raises(HandshakeFailed):  # whoever waits for a thread and has left is not served
        sign()


def test_a_signature_that_fails_ends_with_internal_error(world):
    duplex, peer = server_side(world, leaf=SLOW_LEAF)
    world.engine.signer.sign = lambda _, done: done(RuntimeError("token is gone"))
    peer.until(lambda: peer.end.failure)

    assert peer.end.failure.alert == tls.AlertDescription.INTERNAL_ERROR
    assert "token" not in duplex.handshake.exception().failed.reason


# Rules 1, 3 and 6.


def test_a_request_that_comes_with_finished_waits_until_somebody_wants_it(world):
    duplex, peer = server_side(world)
    peer.flush()
    while not peer.end.handshake_complete:
        world.turn(1)
        with contextlib.suppress(BlockingIOError):
            peer.end.feed(peer.sock.recv(1 << 16))
    peer.end.send(b"early request")
    peer.flush()  # Finished and the request in one send
    world.until(duplex.handshake.done)
    world.turn(10)
    sink = Recorder()
    duplex.attach(sink)
    duplex.resume()
    assert sink.events == []

    world.until(lambda: sink.received == b"early request")


def test_after_pause_returns_no_data_comes_and_none_is_lost(world):
    duplex, sink, peer = connected(world)
    duplex.resume()
    peer.send(b"one")
    world.until(lambda: sink.received == b"one")
    duplex.pause()
    peer.send(b"two")
    world.turn(10)
    assert sink.received == b"one"

    duplex.resume()
    world.until(lambda: sink.received == b"onetwo")


def test_one_read_is_one_batch_however_many_records_it_holds(world):
    duplex, sink, peer = connected(world)
    for _ in range(100):
        peer.end.send(b"token ")
    peer.step()
    world.turn(10)
    duplex.resume()
    world.until(lambda: len(sink.received) == 600)

    assert sink.events == ["data"]


def test_after_a_read_of_crumbs_the_next_one_is_short(world):
    """Two megabytes of records of a byte take a fifth of a second, and everybody waits."""
    duplex, sink, peer = connected(world)
    reads = []
    sink.on_data = lambda batch: reads.append(len(batch.fragments))
    for _ in range(1000):
        peer.end.send(b"x")
    output = memoryview(peer.end.take())
    record = len(output) // 1000

    def all_came():
        nonlocal output
        with contextlib.suppress(BlockingIOError):
            while output:
                output = output[peer.sock.send(output) :]
        return sum(reads) == 1000

    all_came()
    duplex.resume()
    world.until(all_came)

    # What came with the handshake was read before.
    assert _SHORT_READ < max(reads[:2]) * record <= FIRST_READ
    assert max(reads[2:]) * record <= _SHORT_READ + record


def test_records_cut_anywhere_arrive_whole(world):
    duplex, sink, peer = connected(world)
    duplex.resume()
    data = os.urandom(40_000)
    peer.end.send(data)
    output = peer.end.take()
    for start in range(0, len(output), 997):
        peer.sock.send(output[start : start + 997])
        world.turn(2)
    world.until(lambda: sink.received == data)


# Writing.


@pytest.mark.parametrize("size", [1, 128, 1023, 16_376, 16_377, 100_000, BULK])
def test_what_one_read_brought_arrives_at_the_peer(world, size):
    duplex, _, peer = connected(world)
    data = os.urandom(size)
    duplex.write(slots(world, data))
    peer.until(lambda: len(peer.end.received) == size)

    assert peer.end.received == data


def test_small_records_are_padded(world):
    duplex, _, peer = connected(world)
    duplex.write(slots(world, b"x" * 128))
    peer.sock.setblocking(True)

    assert len(peer.sock.recv(1000)) == 5 + 256 + 16


def test_a_peer_that_takes_small_records_gets_small_records(world):
    duplex, _, peer = connected(world)
    duplex._conn._output.limit(1000)
    duplex._slots_fit = False
    data = os.urandom(50_000)
    duplex.write(slots(world, data))
    peer.until(lambda: len(peer.end.received) == len(data))

    assert peer.end.received == data
    assert max(peer.end.fragments) <= 1000


def test_a_full_socket_keeps_the_buffer_and_says_when_it_takes_more(world):
    duplex, sink, peer = connected(world, small=True)
    duplex.resume()
    data = os.urandom(BULK // 2)
    written = 1
    while duplex.write(slots(world, data)):
        written += 1
    assert sink.events == []
    peer.until(lambda: sink.events == ["writable"])
    peer.until(lambda: len(peer.end.received) == written * len(data))

    assert peer.end.received == data * written
    assert world.pool._lent == 0
    assert world.pool.copied == 0


# The table of ends.


def test_a_plaintext_fin_becomes_close_notify_and_the_other_direction_goes_on(world):
    joined = Joined(world)
    joined.exchange()
    joined.server.shutdown(socket.SHUT_WR)
    joined.client.until(lambda: joined.client.end.peer_closed)
    assert joined.client.how is None  # no FIN yet
    joined.client.send(b"more")
    assert world.read_all(joined.server, 4) == b"more"

    joined.client.end.close()
    joined.client.step()
    assert joined.server_sees() == "fin"
    joined.client.until(lambda: joined.client.how)
    assert joined.client.how == "fin"
    world.until(lambda: joined.reasons == [EndReason.FINISHED])


def test_close_notify_becomes_a_fin_and_the_answer_still_comes(world):
    joined = Joined(world)
    joined.client.end.send(b"question")
    joined.client.end.close()
    joined.client.step()
    assert world.read_all(joined.server, 8) == b"question"
    assert joined.server_sees() == "fin"
    joined.server.send(b"answer")
    joined.client.until(lambda: joined.client.end.received == b"answer")

    joined.server.close()
    joined.client.until(lambda: joined.client.how == "fin")
    assert joined.client.end.peer_closed
    world.until(lambda: joined.reasons == [EndReason.FINISHED])


def test_a_fin_without_close_notify_is_a_reset(world):
    """Truncation is never a clean end."""
    joined = Joined(world)
    joined.exchange()
    joined.client.sock.shutdown(socket.SHUT_WR)

    assert joined.server_sees() == "reset"
    assert joined.reasons == [EndReason.CLIENT_LEFT]


def test_a_reset_of_the_client_is_a_reset(world):
    joined = Joined(world)
    joined.exchange()
    joined.client.reset()

    assert joined.server_sees() == "reset"
    assert joined.reasons == [EndReason.CLIENT_LEFT]


def test_a_fatal_alert_is_a_reset(world):
    joined = Joined(world)
    joined.exchange()
    joined.client.end.connection.abort(tls.AlertDescription.INTERNAL_ERROR)
    joined.client.step()

    assert joined.server_sees() == "reset"
    assert joined.reasons == [EndReason.CLIENT_ALERT]


BROKEN_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)


def test_a_client_that_goes_says_so_and_its_server_sees_no_clean_end(world):
    """A chat that somebody cancels beside an egress: no fault, and still a reset behind it."""
    joined = Joined(world)
    joined.exchange()
    joined.client.end.connection.abort(tls.AlertDescription.GENERAL_ERROR)
    joined.client.step()

    assert joined.server_sees() == "reset"
    assert joined.reasons == [EndReason.CLIENT_LEFT]


@pytest.mark.parametrize(
    ("reason", "alert"),
    [
        (EndReason.CLIENT_LEFT, tls.AlertDescription.GENERAL_ERROR),
        (EndReason.DRAINED, tls.AlertDescription.GENERAL_ERROR),
        (EndReason.INTERNAL_ERROR, tls.AlertDescription.INTERNAL_ERROR),
    ],
)
def test_our_client_side_goes_with_an_alert_that_names_no_fault_unless_it_is_ours(
    world, reason, alert
):
    ours, theirs = world.tcp_pair()
    connection = tls.ClientConnection(tls.ClientConfig(PROVIDER, server_name="llm.test"))
    duplex = TlsDuplex(ours, world.engine, UPSTREAM, connection, accept)
    peer = TlsPeer(world, theirs, Endpoint.server(LEAF))
    peer.until(lambda: duplex.handshake.done() and peer.end.handshake_complete)
    duplex.abort(reason)
    peer.until(lambda: peer.how)

    assert peer.how == "reset"
    assert peer.end.failure.alert == alert
    assert not peer.end.peer_closed


def test_a_broken_record_is_answered_by_an_alert_then_fin_and_resets_the_other_side(world):
    """The peer is still sending: a reset could reach it before the alert does."""
    joined = Joined(world)
    joined.exchange()
    joined.client.sock.send(BROKEN_RECORD)
    assert joined.server_sees() == "reset"
    assert joined.reasons == [EndReason.PROTOCOL_ERROR]

    world.run(world.loop.sock_sendall(joined.client.sock, bytes(3_000_000)))
    joined.client.until(lambda: joined.client.how)
    assert joined.client.how == "fin"
    assert joined.client.end.failure.alert == tls.AlertDescription.BAD_RECORD_MAC
    assert not joined.client.end.peer_closed


def test_where_no_more_may_linger_a_broken_record_is_an_alert_and_a_reset(world, monkeypatch):
    monkeypatch.setattr("pqproxy.proxy.lingering.SOCKETS", 0)
    joined = Joined(world)
    joined.exchange()
    joined.client.sock.send(BROKEN_RECORD)
    joined.client.until(lambda: joined.client.how)

    assert joined.client.how == "reset"
    assert joined.client.end.failure.alert == tls.AlertDescription.BAD_RECORD_MAC
    assert joined.server_sees() == "reset"


def test_a_broken_record_after_our_close_notify_is_a_reset(world):
    """No alert may follow close_notify, and a FIN would tell the peer that all is well."""
    joined = Joined(world)
    joined.exchange()
    joined.server.shutdown(socket.SHUT_WR)
    joined.client.until(lambda: joined.client.end.peer_closed)
    joined.client.sock.send(BROKEN_RECORD)
    joined.client.until(lambda: joined.client.how)

    assert joined.client.how == "reset"
    assert not world.engine.lingerers


def test_a_peer_that_does_not_read_is_reset_at_once(world):
    """Its alert cannot leave, so there is nothing to linger for."""
    duplex, sink, peer = connected(world, small=True)
    duplex.resume()
    while duplex.write(slots(world, bytes(BULK))):
        pass
    peer.sock.send(BROKEN_RECORD)
    world.until(lambda: sink.events)

    assert sink.events == [EndReason.PROTOCOL_ERROR]
    assert not world.engine.lingerers
    assert world.pool._lent == 0


def test_who_refuses_us_is_not_waited_for(world):
    joined = Joined(world)
    joined.exchange()
    joined.client.end.connection.abort(tls.AlertDescription.INTERNAL_ERROR)
    joined.client.step()
    world.until(lambda: joined.reasons)

    assert not world.engine.lingerers


def test_a_reset_of_the_server_is_an_error_alert_then_a_reset_never_close_notify(world):
    joined = Joined(world)
    joined.exchange()
    joined.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    joined.server.close()
    joined.client.until(lambda: joined.client.how)

    assert joined.client.how == "reset"
    assert joined.client.end.failure.alert == tls.AlertDescription.INTERNAL_ERROR
    assert not joined.client.end.peer_closed
    assert joined.reasons == [EndReason.UPSTREAM_LEFT]


def test_a_cut_is_an_error_alert_then_a_reset(world):
    joined = Joined(world)
    joined.exchange()
    joined.splice.cut(EndReason.DRAINED)
    joined.client.until(lambda: joined.client.how)

    assert joined.client.how == "reset"
    assert joined.client.end.failure
    assert joined.server_sees() == "reset"


def test_data_before_an_end_in_the_same_read_comes_first(world):
    duplex, sink, peer = connected(world)
    peer.end.send(b"last words")
    peer.end.close()
    peer.step()
    peer.sock.shutdown(socket.SHUT_WR)
    world.turn()
    duplex.resume()
    world.until(lambda: "end" in sink.events)

    assert sink.events == ["data", "end"]
    assert sink.received == b"last words"


def test_closing_inside_on_data_hears_no_end_after_it(world):
    """Rule 5: a loop that calls a sink rechecks."""
    duplex, sink, peer = connected(world)
    sink._on_data = lambda _: duplex.abort(EndReason.DRAINED)
    peer.end.send(b"x")
    peer.end.close()
    peer.step()
    world.turn()
    duplex.resume()
    world.until(lambda: duplex.closed)
    world.turn(10)

    assert sink.events == ["data"]


def test_a_reset_is_noticed_while_paused(world):
    """Rule 7, before anybody has resumed: the upstream may still be dialled."""
    _duplex, sink, peer = connected(world)
    peer.reset()
    world.until(lambda: sink.events)

    assert sink.events == [EndReason.CLIENT_LEFT]


def test_bulk_passes_both_ways_at_once(world):
    joined = Joined(world)
    down, up = os.urandom(3_000_000), os.urandom(1_000_000)
    joined.client.end.send(up)
    output, sent, got, pushed = joined.client.end.take(), 0, bytearray(), 0

    def moved():
        nonlocal sent, pushed
        with contextlib.suppress(BlockingIOError):
            pushed += joined.client.sock.send(output[pushed:])
        with contextlib.suppress(BlockingIOError):
            sent += joined.server.send(down[sent:])
        with contextlib.suppress(BlockingIOError):
            got.extend(joined.server.recv(1 << 20))
        joined.client.step()
        return len(joined.client.end.received) == len(down) and len(got) == len(up)

    world.until(moved, seconds=20)
    assert joined.client.end.received == down
    assert got == up
