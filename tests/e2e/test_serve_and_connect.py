"""Two commands and no file: what `serve` prints is all that the other machine needs."""

import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager

from tests.support.plain_server import echo, serving
from tests.support.sidecars import free_port
from tests.support.waiting import wait_until


@contextmanager
def command(directory, name, arguments):
    """Run a command in a directory until it is ready; give its output; end it afterwards."""
    output = directory / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pqproxy", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
        )

    def ready():
        assert process.poll() is None, output.read_text()
        return "ready" in output.read_text()

    try:
        wait_until(ready, f"{name} is ready", 20)
        yield output.read_text
    finally:
        process.terminate()
        process.wait(15)


def test_the_printed_line_connects_the_other_machine(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for machine in (here, there):
        machine.mkdir()
    listen = f"127.0.0.1:{free_port()}"
    with serving(echo) as server:
        to_server = ["serve", listen, "--to", server.forward, "--state-dir", str(here / "state")]
        with command(here, "serve", to_server) as told:
            bundle = re.search(r"copy this file .*: (\S+)$", told(), re.MULTILINE)[1]
            line = re.search(r"and run there: (.+)$", told(), re.MULTILINE)[1]
            shutil.copy(bundle, there)
            program, *arguments = shlex.split(line)
            local = f"127.0.0.1:{free_port()}"
            arguments[arguments.index("--listen") + 1] = local  # 9000 may be taken here

            with command(there, "connect", arguments):
                assert exchange(local) == b"hi"

            wait_until(lambda: "X25519MLKEM768" in told(), "the connection is logged")
            # Both proved who they are with ML-DSA and ECDSA at once.
            assert '"signature": "mldsa65_ecdsa_p256"' in told()
            assert '"peer_signature": "mldsa65_ecdsa_p256"' in told()
    assert program == "pqproxy"


def exchange(address):
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"hi")
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(100)


def test_a_second_start_keeps_its_certificates(tmp_path):
    """A client that was set up once goes on working."""
    state = tmp_path / "state"
    arguments = ["serve", f"127.0.0.1:{free_port()}", "--to", "127.0.0.1:1"]
    arguments += ["--state-dir", str(state)]
    with command(tmp_path, "first", arguments) as told:
        assert "made just now" in told()
    made = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}

    with command(tmp_path, "second", arguments) as told:
        assert "made just now" not in told()

    assert {path: path.read_bytes() for path in state.rglob("*") if path.is_file()} == made
    keys = [path for path in made if b"PRIVATE KEY" in made[path]]
    assert keys
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
