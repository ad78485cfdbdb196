"""Large bodies pass whole, and memory stays flat whatever the pace of the reader."""

import hashlib
import os
import socket
import time

from tests.support.plain_server import serving

MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
PATTERN = os.urandom(MEGABYTE)
# A window of eight megabytes may wait for the reader, and eight buffers of two be lent; a gigabyte
# that leaks anything leaves more behind.
ALLOWED_GROWTH = 32 * MEGABYTE


def test_a_gigabyte_to_a_slow_reader_leaves_memory_flat(sidecars):
    """A pair of its own: nobody else has grown it before."""

    def send(connection):
        connection.recv(10)
        for _ in range(GIGABYTE // MEGABYTE):
            connection.sendall(PATTERN)

    with serving(send) as server:
        pair = sidecars.start_pair(server.forward)
        with socket.create_connection(pair.address, timeout=60) as connection:
            connection.sendall(b"go")
            received, memory = read_slowly(connection, pair)

    assert received == GIGABYTE
    for sizes in memory:
        assert max(sizes) - sizes[0] < ALLOWED_GROWTH, sizes


def read_slowly(connection, pair):
    """Read to the end with pauses; return the bytes, and each worker's memory along the way."""
    scratch = bytearray(4 * MEGABYTE)
    memory = [[] for _ in pair.sidecars]
    received = 0
    sampled = 0
    while count := connection.recv_into(scratch):
        received += count
        if received - sampled >= 32 * MEGABYTE:
            sampled = received
            time.sleep(0.1)  # meanwhile every buffer on the way fills up
            for sizes, sidecar in zip(memory, pair.sidecars, strict=True):
                sizes.append(sidecar.resident())
    return received, memory


def test_an_upload_of_a_hundred_megabytes_arrives_whole(standing):
    def digest(connection):
        hashed = hashlib.sha256()
        while data := connection.recv(MEGABYTE):
            hashed.update(data)
        connection.sendall(hashed.digest())

    sent = hashlib.sha256()
    with (
        standing.serving(digest),
        socket.create_connection(standing.address, timeout=60) as connection,
    ):
        for _ in range(100):
            connection.sendall(PATTERN)
            sent.update(PATTERN)
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(100) == sent.digest()


def test_bodies_cross_each_other_in_both_directions(standing):
    """A server that answers while it still reads, as gRPC and audio do."""
    size = 20 * MEGABYTE

    def echo(connection):
        while data := connection.recv(MEGABYTE):
            connection.sendall(data)

    with (
        standing.serving(echo),
        socket.create_connection(standing.address, timeout=60) as connection,
    ):
        returned = exchange(connection, PATTERN * (size // MEGABYTE))

    assert returned == hashlib.sha256(PATTERN * (size // MEGABYTE)).digest()


def exchange(connection, body):
    """Send a body and read what comes back at the same time; return its digest."""
    from threading import Thread

    def send():
        connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)

    sender = Thread(target=send)
    sender.start()
    hashed = hashlib.sha256()
    while data := connection.recv(MEGABYTE):
        hashed.update(data)
    sender.join()
    return hashed.digest()
