import os
import socket
import subprocess
import sys

import pytest

from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.control.client import ControlClient, ControlError, ControlRefused
from tests.support.control_stub import control_listener


def failure(client, path="/status"):
    with pytest.raises(ControlError) as raised:
        client.get(path)
    return raised.value


@pytest.mark.parametrize("name", ["c.sock", None], ids=["unix", "loopback"])
def test_an_answer_comes_back_as_data(tmp_path, name):
    path = tmp_path / name if name else None
    with control_listener({"/status": {"ready": True}}, path) as (address, requests):
        assert ControlClient(address).get("/status") == {"ready": True}

    assert requests[0][2]["Host"] == "localhost", "the listener refuses every other name"


def test_a_command_carries_its_document():
    with control_listener({"/drain": {"begun": True}}) as (address, requests):
        assert ControlClient(address).post("/drain", {"timeout": 3}) == {"begun": True}

    assert requests[0][:2] == ("POST", "/drain")
    assert requests[0][3] == b'{"timeout": 3}'


def test_a_refusal_is_said_in_the_words_of_the_other_side():
    answers = {"/reload": (409, b'{"error": "draining already", "hint": "wait"}')}
    with control_listener(answers) as (address, _), pytest.raises(ControlRefused) as raised:
        ControlClient(address).post("/reload")

    assert (raised.value.status, raised.value.message) == (409, "draining already")
    assert raised.value.hint == "wait"


@pytest.mark.parametrize("status", [404, 405])
def test_a_request_of_another_version_is_said_to_be_one(status):
    with control_listener({"/new": (status, b"404: Not Found")}) as (address, _):
        error = failure(ControlClient(address), "/new")

    assert "another version" in error.hint


def test_text_of_a_refusal_is_kept():
    with control_listener({"/x": (403, b"this is not the host you asked for\n")}) as (address, _):
        assert failure(ControlClient(address), "/x").message == "this is not the host you asked for"


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b""])
def test_another_server_is_recognised_by_its_answer(body):
    with control_listener({"/status": (200, body)}) as (address, _):
        assert "is not the control listener of pqproxy" in failure(ControlClient(address)).message


def test_what_speaks_no_http_is_recognised():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = TcpAddress(*listener.getsockname())
        # Its answer waits in the queue of a connection that is accepted in this thread, later.
        client = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from pqproxy.config.values import TcpAddress\n"
                "from pqproxy.control.client import ControlClient, ControlError\n"
                "try: ControlClient(TcpAddress('127.0.0.1', int(sys.argv[1]))).get('/status')\n"
                "except ControlError as error: print(error.message)",
                str(address.port),
            ],
            stdout=subprocess.PIPE,
        )
        with listener.accept()[0] as peer:
            peer.sendall(b"SSH-2.0-OpenSSH_9\r\n")
        said = client.communicate()[0].decode()

    assert "is not the control listener of pqproxy" in said


def test_nobody_there_says_how_to_name_the_place(tmp_path):
    error = failure(ControlClient(UnixAddress(str(tmp_path / "none.sock"))))

    assert error.message == f"nothing answers at unix:{tmp_path}/none.sock"
    assert "--control ADDR" in error.hint


def test_a_socket_that_a_dead_process_left_is_nobody(tmp_path):
    path = str(tmp_path / "dead.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)

    assert "nothing answers" in failure(ControlClient(UnixAddress(path))).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_socket_of_another_user_says_whose_to_be(tmp_path):
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)

        assert (
            "as the user that pqproxy runs as"
            in failure(ControlClient(UnixAddress(str(path)))).hint
        )


def test_silence_ends_after_the_patience():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = ControlClient(TcpAddress(*listener.getsockname()), patience=0.05)

        assert "no answer" in failure(client).message


def test_it_imports_nothing_that_is_slow_to_import():
    """A health check starts it every few seconds."""
    program = (
        "import sys; import pqproxy.control.client;"
        "print(sorted({'pydantic', 'yaml', 'aiohttp', 'asyncio', 'cryptography', 'ssl'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    # http.client itself imports ssl where it can.
    assert done.stdout.decode().strip() in ("[]", "['ssl']")
