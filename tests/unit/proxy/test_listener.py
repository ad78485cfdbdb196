import errno
import os
import socket

import pytest

from pqproxy.config.values import ConnectionLimits
from pqproxy.proxy.admission import Admission
from pqproxy.proxy.listener import Listener


class Door:
    """A listener and who came through it."""

    def __init__(
        self,
        world,
        limits=None,
        family=socket.AF_INET,
        address=("127.0.0.1", 0),
        sock=None,
        others=0,
    ):
        self.sock = sock or socket.socket(family)
        if sock is None:
            self.sock.bind(address)
            self.sock.listen(64)
        self.sock.setblocking(False)
        self.address = self.sock.getsockname()
        self.welcomed, self.turned_away = [], []
        self.admit = Admission(limits or ConnectionLimits()).ask
        self.listener = Listener(
            self.sock,
            world.engine.poller,
            self,
            others,
        )

    def welcome(self, *who):
        self.welcomed.append(who)

    def turn_away(self, *who):
        self.turned_away.append(who)

    def knock(self):
        client = socket.socket(self.sock.family)
        client.connect(self.address)
        return client

    def close(self):
        self.listener.close()
        for sock, _, _ in self.welcomed:
            sock.close()


def test_who_came_before_the_listener_was_set_up_has_its_options_too(world):
    """The supervisor lets a socket listen, and somebody is faster than the first worker."""
    sock = socket.create_server(("127.0.0.1", 0))
    clients = [socket.create_connection(sock.getsockname()) for _ in range(3)]
    door = Door(world, sock=sock)
    clients.append(door.knock())
    world.until(lambda: len(door.welcomed) == 4)

    for ours, _, _ in door.welcomed:
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    door.close()
    for client in clients:
        client.close()


@pytest.fixture
def door(world):
    door = Door(world)
    yield door
    door.close()


def test_a_connection_is_welcomed_with_its_address(world, door):
    with door.knock() as client:
        world.until(lambda: door.welcomed)
        host, port = client.getsockname()

    assert door.welcomed[0][1] == f"{host}:{port}"


def test_an_ipv6_address_is_written_with_brackets(world):
    door = Door(world, family=socket.AF_INET6, address=("::1", 0))
    with door.knock():
        world.until(lambda: door.welcomed)
    assert door.welcomed[0][1].startswith("[::1]:")
    door.close()


def test_a_unix_listener_welcomes_too(world, tmp_path):
    door = Door(world, family=socket.AF_UNIX, address=str(tmp_path / "door"))
    with door.knock():
        world.until(lambda: door.welcomed)
    assert door.welcomed[0][1] == "unix"
    door.close()


def test_accepted_sockets_send_at_once_and_find_dead_peers(world, door):
    with door.knock():
        world.until(lambda: door.welcomed)
    sock = door.welcomed[0][0]

    assert not sock.getblocking()
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3


def test_past_the_cap_a_connection_is_closed_and_counted(world):
    door = Door(world, ConnectionLimits(connections=1))
    with door.knock(), door.knock() as refused:
        world.until(lambda: door.turned_away)
        refused.settimeout(5)
        assert refused.recv(1) == b""

    assert len(door.welcomed) == 1
    assert [source for _, source in door.turned_away] == ["127.0.0.1"]
    door.close()


def test_ipv4_through_an_ipv6_socket_is_written_as_ipv4(world):
    if not socket.has_dualstack_ipv6():
        pytest.skip("no dual-stack sockets")
    door = Door(world, family=socket.AF_INET6, address=("::", 0))
    with socket.create_connection(("127.0.0.1", door.address[1])):
        world.until(lambda: door.welcomed)
    assert door.welcomed[0][1].startswith("127.0.0.1:")
    door.close()


@pytest.fixture
def neighbours(world, tmp_path):
    """Three listeners on one socket, as three workers have it; called in the same order always."""
    many = ConnectionLimits(1000, 1000, 1000)
    first = Door(world, many, socket.AF_UNIX, str(tmp_path / "door"), others=2)
    doors = [first, *(Door(world, many, sock=first.sock.dup(), others=2) for _ in "ab")]
    yield doors
    for door in doors:
        door.close()


def test_those_who_accept_from_one_socket_take_turns(world, neighbours):
    """Without turns the first one that is woken takes them all; timers say how even it is."""
    for count in range(1, 301):
        with neighbours[0].knock():
            world.until(lambda count=count: sum(len(d.welcomed) for d in neighbours) == count)

    counts = [len(door.welcomed) for door in neighbours]
    assert all(count >= 30 for count in counts), counts


def test_one_whose_neighbours_are_gone_takes_every_turn(world, neighbours):
    for door in neighbours[1:]:
        door.listener.let_go()

    clients = [neighbours[0].knock() for _ in range(10)]
    world.until(lambda: len(neighbours[0].welcomed) == 10)

    for client in clients:
        client.close()


def test_closing_while_it_stands_aside_takes_in_who_is_in_the_queue(world, neighbours):
    for door in neighbours[1:]:
        door.listener.let_go()
    clients = [neighbours[0].knock() for _ in range(10)]
    world.until(lambda: neighbours[0].listener._paused)

    neighbours[0].listener.close()

    assert len(neighbours[0].welcomed) == 10
    for client in clients:
        client.close()


def test_letting_go_leaves_the_queue_to_others(world, neighbours):
    with neighbours[0].knock():
        neighbours[0].listener.let_go()
        neighbours[1].listener.let_go()
        world.until(lambda: neighbours[2].welcomed)

    assert not neighbours[0].welcomed


class Troubled:
    """A listening socket whose accept fails for as long as there is `trouble`."""

    def __init__(self, sock, trouble):
        self._sock, self.trouble, self.calls = sock, trouble, 0

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def _accept(self):
        self.calls += 1
        if self.trouble:
            raise OSError(self.trouble, os.strerror(self.trouble))
        return self._sock._accept()


@pytest.mark.parametrize("trouble", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_out_of_resources_it_waits_without_spinning_and_goes_on(world, door, caplog, trouble):
    sock = door.listener._sock = Troubled(door.sock, trouble)
    with door.knock():
        world.pass_time(0.3)
        assert 1 <= sock.calls <= 4
        assert caplog.text.count("cannot accept") == 1
        assert f"127.0.0.1:{door.address[1]}" in caplog.text
        assert "ulimit -n is" in caplog.text

        sock.trouble = None
        world.until(lambda: door.welcomed)  # the kernel's queue has kept who waited


def test_closing_while_out_of_resources_is_quiet(world):
    door = Door(world)
    door.listener._sock = Troubled(door.sock, errno.EMFILE)
    with door.knock():
        world.until(lambda: door.listener._paused)
        door.listener.close()
    world.pass_time(0.1)


def test_closing_takes_in_who_is_in_the_queue_already(world):
    door = Door(world)
    clients = [door.knock() for _ in range(5)]
    door.listener.close()
    door.listener.close()

    assert len(door.welcomed) == 5
    for client in clients:
        client.close()
    door.close()


def test_one_that_gave_up_while_it_waited_stops_nobody(world, door):
    sock = door.listener._sock = Troubled(door.sock, errno.ECONNABORTED)
    with door.knock():
        world.until(lambda: sock.calls)
        sock.trouble = None
        world.until(lambda: door.welcomed)


def test_redirected_it_lets_others_decide(world, door):
    """Of a listener whose settings change, the socket stays and so does its queue."""
    other = Door(world)
    door.listener.redirect(other)
    with door.knock():
        world.until(lambda: other.welcomed)

    assert not door.welcomed
    other.close()
