"""`pqproxy demo`: what it shows, and that it leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.aiohttp_server import AiohttpServer
from tests.support.plain_server import serving
from tests.support.sidecars import free_port
from tests.support.waiting import wait_until

INTERRUPTED = {130, -signal.SIGINT}


class Demo:
    """A demo as a shell starts it: in a process group of its own, with a marked environment."""

    def __init__(self, directory, *arguments):
        self.directory = directory
        self._mark = f"PQPROXY_TEST_MARK={directory}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pqproxy", "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
            env=os.environ | {"TMPDIR": str(directory), name: value},
        )

    def finish(self, seconds=60):
        output, _ = self.process.communicate(timeout=seconds)
        return output

    def interrupt(self):
        """Ctrl-C reaches the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def left_behind(self):
        """Processes that carry the mark, and files."""
        return marked_processes(self._mark.encode()) + list(self.directory.iterdir())


def marked_processes(mark):
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(path)
        except OSError:  # it ended, or is not ours
            continue
    return found


@pytest.fixture
def empty_directory(tmp_path):
    directory = tmp_path / "t"
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A demo that has ended, and what came out of it in which reads."""
    demo = Demo(tmp_path_factory.mktemp("watched"))
    reads = []
    while chunk := os.read(demo.process.stdout.fileno(), 1 << 16):
        reads.append(chunk)
    demo.finish()
    return demo, reads


def test_it_shows_a_completion_and_what_protected_it(watched):
    pytest.importorskip("xllamacpp")
    demo, reads = watched
    output = b"".join(reads).decode()

    assert demo.process.returncode == 0, output
    assert "llama.cpp" in output
    assert "gibberish" in output
    assert "120 tokens" in output
    assert re.search(r"key exchange +X25519MLKEM768\n", output)
    assert re.search(r"cipher suite +TLS_AES_(256|128)_GCM_SHA\d+\n", output)
    assert re.search(r"server proved +spiffe://\S+ \(\S+\)\n", output)
    assert re.search(r"client proved +spiffe://\S+ \(\S+\)\n", output)
    assert re.search(r"bytes carried +[\d,]+ asked, [\d,]+ answered\n", output)
    assert re.search(r"new connection +[+-][\d.]+ ms", output)
    assert "Try next" in output
    assert not demo.left_behind()


def test_tokens_are_shown_as_they_come(watched):
    _, reads = watched

    assert len(reads) > 60


@pytest.mark.parametrize("moment", [0.1, 0.4, 0.8, 1.2, 1.8, 2.6])
def test_ctrl_c_leaves_no_process_and_no_file(empty_directory, moment):
    demo = Demo(empty_directory)
    time.sleep(moment)

    demo.interrupt()
    demo.finish(seconds=15)

    assert demo.process.returncode != 0  # early on it is still Python's to choose one
    wait_until(lambda: not demo.left_behind(), "nothing is left", 2)


def test_an_impatient_ctrl_c_changes_nothing(empty_directory):
    demo = Demo(empty_directory)
    assert demo.process.stdout.readline()  # by now everything runs

    for _ in range(5):
        demo.interrupt()
        time.sleep(0.02)
    output = demo.finish(seconds=15)

    assert demo.process.returncode in INTERRUPTED, output
    wait_until(lambda: not demo.left_behind(), "nothing is left", 2)


def test_killed_outright_it_leaves_no_process(empty_directory):
    demo = Demo(empty_directory)
    assert demo.process.stdout.readline()

    demo.process.kill()
    demo.finish()

    wait_until(lambda: not marked_processes(demo._mark.encode()), "no process is left", 10)


def test_another_model_server_takes_the_place_of_its_own(empty_directory, model):
    demo = Demo(empty_directory, "--upstream", model.url)
    output = demo.finish()

    assert demo.process.returncode == 0, output
    assert "model server  yours" in output
    assert model.url in output
    assert "X25519MLKEM768" in output


def test_a_model_server_that_is_down_is_named(empty_directory):
    url = f"http://127.0.0.1:{free_port()}"
    demo = Demo(empty_directory, "--upstream", url)
    output = demo.finish()

    assert demo.process.returncode == 1
    assert f"cannot reach {url}" in output
    assert "Traceback" not in output
    assert not demo.left_behind()


def demo_of_a_server_that_says(words, directory):
    """What a demo shows when that is all that the model ever says."""

    async def models(_request):
        return web.json_response({"data": [{"id": "m"}]})

    async def chat(request):
        await request.read()
        event = {"choices": [{"delta": {"content": words}}]}
        return web.Response(body=b"data: " + json.dumps(event).encode() + b"\n\n")

    with AiohttpServer(web.get("/v1/models", models), web.post("/v1/chat/completions", chat)) as it:
        demo = Demo(directory, "--upstream", f"http://{it.forward}")
        output = demo.finish()

    assert demo.process.returncode == 0, output
    return output


def test_what_a_model_says_cannot_steer_the_terminal(empty_directory):
    shown = demo_of_a_server_that_says("red \x1b[31m alert", empty_directory)

    assert "red \N{REPLACEMENT CHARACTER}[31m alert" in shown


def test_a_terminal_that_knows_ascii_only_is_no_reason_to_fail(empty_directory, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    shown = demo_of_a_server_that_says("ten \N{EURO SIGN}", empty_directory)

    assert "ten ?" in shown


def test_what_is_no_model_server_is_named(empty_directory):
    def refuse(connection):
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with serving(refuse) as server:
        demo = Demo(empty_directory, "--upstream", f"http://{server.forward}")
        output = demo.finish()

    assert demo.process.returncode == 1
    assert "answered 404" in output
    assert "Traceback" not in output
