"""A client to be killed: `python -m tests.support.killable_client HOST PORT FILE`.

It sends the file, prints one line, and reads until the other side ends. Run as a process because
only a process dies the way clients do.
"""

import socket
import subprocess
import sys
from pathlib import Path


def start(address, payload, directory):
    """Start a client that sends `payload`."""
    path = Path(directory) / "payload"
    path.write_bytes(payload)
    command = [sys.executable, "-m", "tests.support.killable_client", *map(str, address), path]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(client):
    """SIGKILL: the kernel closes its sockets, nothing else is said."""
    client.kill()
    client.wait()
    client.stdout.close()


def main():
    host, port, path = sys.argv[1:]
    with socket.create_connection((host, int(port))) as connection:
        print("connected", flush=True)
        connection.sendall(Path(path).read_bytes())
        while connection.recv(1 << 16):
            pass


if __name__ == "__main__":
    main()
