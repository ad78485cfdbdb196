"""Clients that ask for a megabyte and read one byte of it: `python -m bench.stalled PORT COUNT`.

They stay until stdin ends, and leave with the rest unread.
"""

import select
import socket
import sys

from bench.tokens import MEGABYTE

WINDOW = 4096  # bytes that a client's kernel takes
PATIENCE = 20.0  # seconds


def stall(port: int) -> socket.socket:
    """One such client. Raises TimeoutError, ConnectionResetError."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port))
    client.sendall(MEGABYTE)
    if not client.recv(1):
        raise ConnectionResetError("no answer came")
    return client


def main() -> None:
    port, count = map(int, sys.argv[1:])
    clients = [stall(port) for _ in range(count)]
    print("ready", flush=True)
    sys.stdin.read()
    gone = select.poll()
    for client in clients:
        gone.register(client, select.POLLHUP | select.POLLERR)
    if lost := len(gone.poll(0)):
        sys.exit(f"{lost} of {count} were let go")


if __name__ == "__main__":
    main()
