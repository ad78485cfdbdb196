import socket
import threading
import time

import pytest

from bench.backend import serve
from bench.gate import Load, LoadFailed


def test_a_load_that_cannot_begin_is_told_with_its_name():
    """A port where nobody listens is what a proxy that died looks like."""
    with pytest.raises(LoadFailed, match=r"bench\.bulk down 1 1 1 ended with 1"):
        Load("bench.bulk", ["down", 1, 1, 1]).__enter__()


def test_a_load_without_end_ends_when_something_else_fails():
    """A transfer that is to outlast all requests must not outlast their failure."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=[listener], daemon=True).start()
    began = time.monotonic()

    def transfer():
        with Load("bench.bulk", ["down", listener.getsockname()[1], 1, 10**15]) as load:
            load.begin()
            raise LoadFailed("something else")

    with pytest.raises(LoadFailed, match="something else"):
        transfer()

    assert time.monotonic() - began < 60
