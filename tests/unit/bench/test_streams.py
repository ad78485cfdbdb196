"""Gaps are what a bar is held to: their reader is tried against a scripted server."""

import socket
import threading

import pytest

from bench.streams import TICKS, Streams
from bench.tokens import REQUEST, TOKEN, pace_of


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def serving(listener, script):
    """Run `script` with the first client, on a thread."""

    def serve():
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            script(client)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_tokens_that_arrive_together_have_no_gap_between_them(listener):
    asked = threading.Event()

    def script(client):
        client.sendall(TOKEN)
        asked.wait(20)
        client.sendall(TOKEN * 3)
        client.recv(1)

    thread = serving(listener, script)
    streams = Streams(listener.getsockname()[1], 1)
    asked.set()
    gaps = []
    while len(gaps) < 3:
        gaps += streams.watch(0.05)
    streams.close()
    thread.join()

    assert len(streams.first) == 1
    assert len(gaps) == 3
    assert gaps.count(0.0) == 2


def test_a_token_counts_when_it_is_whole(listener):
    """Half of one at the end of a read is no token yet, and is not forgotten."""
    asked = threading.Event()

    def script(client):
        client.sendall(TOKEN + TOKEN[:100])
        asked.wait(20)
        client.sendall(TOKEN[100:])
        client.recv(1)

    thread = serving(listener, script)
    streams = Streams(listener.getsockname()[1], 1)
    none = streams.watch(0.02)
    asked.set()
    one = []
    while not one:
        one = streams.watch(0.05)
    streams.close()
    thread.join()

    assert none == []
    assert len(one) == 1
    assert one[0] >= 0.02 - 1 / TICKS


def test_a_stream_that_ends_is_no_figure(listener):
    begun = threading.Event()

    def script(client):
        client.sendall(TOKEN)
        begun.wait(20)

    thread = serving(listener, script)
    streams = Streams(listener.getsockname()[1], 1)
    begun.set()
    thread.join()

    with pytest.raises(ConnectionResetError):
        streams.watch(20)
    streams.close()


def test_a_request_says_how_often():
    assert pace_of(REQUEST % 5) == 0.005
