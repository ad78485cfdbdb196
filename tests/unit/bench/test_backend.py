import socket
import threading

import pytest

from bench.backend import answer, serve


@pytest.fixture
def client():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=[listener], daemon=True).start()
    with socket.create_connection(listener.getsockname(), timeout=10) as client:
        yield client


def read(client, count):
    found = bytearray()
    while len(found) < count and (data := client.recv(1 << 20)):
        found += data
    return bytes(found)


@pytest.mark.parametrize("size", [128, 16384, 5_000_000])
def test_as_many_bytes_come_as_were_asked_for(client, size):
    for _ in range(2):  # a connection answers again and again
        client.sendall(b"GET /bytes/%d HTTP/1.1\r\n\r\n" % size)
        response = read(client, len(answer(size)))

        head, _, body = response.partition(b"\r\n\r\n")
        assert b"Content-Length: %d" % size in head
        assert len(body) == size


def test_an_upload_is_answered_when_all_of_it_has_come(client):
    size = 3_000_000
    client.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
    client.sendall(bytes(size - 1))
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(10)
    client.sendall(b"!")

    assert read(client, len(answer(128))) == answer(128)
