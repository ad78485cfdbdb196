import logging
import socket
import time

from pqproxy.proxy import poller as poller_module


class Handler:
    def __init__(self, act=lambda: None):
        self.masks, self.turns, self.crashes, self.act = [], 0, 0, act

    def on_events(self, mask):
        self.masks.append(mask)
        self.act()

    def on_turn(self):
        self.turns += 1
        self.act()

    def crashed(self):
        self.crashes += 1


def test_input_is_reported_once_until_more_comes(world):
    ours, peer = world.tcp_pair()
    handler = Handler()
    world.engine.poller.add(ours.fileno(), handler)
    peer.send(b"x")
    world.until(lambda: handler.masks)
    world.turn(10)
    assert len(handler.masks) == 1

    peer.send(b"y")
    world.until(lambda: len(handler.masks) == 2)


def test_data_that_came_before_the_registration_is_reported(world):
    ours, peer = world.tcp_pair()
    peer.send(b"x")
    handler = Handler()
    world.engine.poller.add(ours.fileno(), handler)

    world.until(lambda: handler.masks)


def test_output_is_reported_only_when_asked_for(world):
    ours, _ = world.unix_pair()
    handler = Handler()
    world.engine.poller.add(ours.fileno(), handler)
    world.turn()
    assert not handler.masks

    world.engine.poller.watch_output(ours.fileno())

    world.until(lambda: handler.masks and handler.masks[-1] & poller_module.OUT)


def test_a_listener_is_reported_every_turn_while_its_queue_is_full(world):
    with socket.create_server(("127.0.0.1", 0)) as server:
        handler = Handler()
        world.engine.poller.add_listener(server.fileno(), handler)
        with socket.create_connection(server.getsockname()):
            world.until(lambda: len(handler.masks) > 2)
        world.engine.poller.remove(server.fileno())


def test_a_removed_descriptor_is_silent(world):
    ours, peer = world.tcp_pair()
    handler = Handler()
    world.engine.poller.add(ours.fileno(), handler)
    world.engine.poller.remove(ours.fileno())
    peer.send(b"x")
    world.turn()

    assert not handler.masks


def test_again_calls_in_a_later_turn_never_at_once(world):
    handler = Handler()
    world.engine.poller.again(handler)
    assert handler.turns == 0

    world.turn()
    assert handler.turns == 1


def test_asking_again_from_within_a_turn_does_not_starve_the_loop(world):
    handler = Handler()
    handler.act = lambda: world.engine.poller.again(handler)
    world.engine.poller.again(handler)
    fired = []
    world.loop.call_later(0.01, fired.append, 1)

    world.until(lambda: fired)
    handler.act = lambda: None
    world.turn()


def test_a_crash_ends_that_handler_and_no_other(world, caplog):
    def crash():
        raise ZeroDivisionError

    broken, good = Handler(crash), Handler()
    with caplog.at_level(logging.ERROR):
        world.engine.poller.again(broken)
        world.engine.poller.again(good)
        world.turn()

    assert (broken.crashes, good.turns) == (1, 1)
    assert "failed inside the proxy" in caplog.text


def test_a_storm_of_handshakes_lets_data_through_between(world):
    """Two milliseconds of handshakes a turn: the rest waits, data does not."""
    order = []
    ours, peer = world.tcp_pair()

    def work():
        order.append("handshake")
        peer.send(b"x")
        time.sleep(poller_module.HANDSHAKE_BUDGET * 0.75)

    handshake = Handler(work)
    data = Handler(lambda: order.append("data"))
    world.engine.poller.add(ours.fileno(), data)
    for _ in range(6):
        world.engine.poller.handshake(handshake)
    world.until(lambda: order.count("handshake") == 6)

    assert order.index("data") <= 2
