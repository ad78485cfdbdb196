import itertools
import os
import socket

import pytest

from pqproxy.proxy.handover import (
    HandoverFailed,
    close_all,
    open_handover,
    receive_sockets,
    send_sockets,
)

from .sidecars import listening


@pytest.fixture
def ends():
    ours, theirs = open_handover()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def sockets():
    made = [listening() for _ in range(3)]
    yield made
    close_all(made)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def names(sockets):
    return [one.getsockname() for one in sockets]


def test_sockets_arrive_in_their_order(ends, sockets):
    send_sockets(ends[0], 1, sockets)
    received = receive_sockets(ends[1], 1, 3)

    assert names(received) == names(sockets)
    assert not any(one.get_inheritable() for one in received)
    close_all(received)


def test_what_arrived_listens_when_the_sender_let_go(ends):
    """A socket lives for as long as one process has it: the queue is never lost."""
    sent = listening()
    address = sent.getsockname()
    send_sockets(ends[0], 1, [sent])
    sent.close()
    (received,) = receive_sockets(ends[1], 1, 1)

    with received, socket.create_connection(address):
        received.accept()[0].close()


def test_more_than_one_message_can_hold(ends):
    """The kernel takes 253 descriptors a message; configurations may have more listeners."""
    with listening() as one:
        send_sockets(ends[0], 1, [one] * 600)
        received = receive_sockets(ends[1], 1, 600)

        assert len(received) == 600
        close_all(received)


def test_nothing_is_sent_for_nothing(ends):
    send_sockets(ends[0], 1, [])

    assert receive_sockets(ends[1], 1, 0) == []


def test_what_an_abandoned_reload_sent_is_closed_and_not_mistaken(ends, sockets):
    send_sockets(ends[0], 1, sockets[:1])
    send_sockets(ends[0], 2, sockets[1:])
    before = descriptors()
    received = receive_sockets(ends[1], 2, 2)

    assert names(received) == names(sockets[1:])
    assert descriptors() == before + 2
    close_all(received)


def test_what_does_not_arrive_is_missed_at_once_and_nothing_leaks(ends, sockets):
    before = descriptors()
    send_sockets(ends[0], 1, sockets[:2])

    with pytest.raises(HandoverFailed, match="2 of 3 sockets"):
        receive_sockets(ends[1], 1, 3)
    assert descriptors() == before


def test_a_receiver_that_takes_nothing_never_blocks_the_sender(ends, sockets):
    """A worker that hangs must not make its supervisor hang."""

    def send_for_ever():
        for number in itertools.count():
            send_sockets(ends[0], number, sockets)

    with pytest.raises(HandoverFailed, match="it takes no sockets"):
        send_for_ever()


def test_a_receiver_that_has_gone_is_told(ends, sockets):
    ends[1].close()

    with pytest.raises(HandoverFailed, match="it takes no sockets"):
        send_sockets(ends[0], 1, sockets)
