import json
import socket

import pytest

from pqproxy.cli import main as cli
from pqproxy.probing import sniffing
from pqproxy.probing.greeting import GreetingReader
from pqproxy.probing.sniffing import Sniffed
from tests.support.loopback import Endpoint


def caller(said=None):
    reader = GreetingReader()
    reader.feed(Endpoint.client().take() if said is None else said)
    return Sniffed("127.0.0.1:5", reader.greeting(), None, "")


@pytest.fixture
def callers(monkeypatch):
    """Who comes, and with what the sniffer was started."""

    class Callers:
        come = (caller(),)
        interrupted = False
        count = None

    async def sniff(listener, count, report):
        Callers.count, Callers.address = count, listener.getsockname()
        for one in Callers.come:
            report(one)
        if Callers.interrupted:
            raise KeyboardInterrupt

    monkeypatch.setattr(sniffing, "sniff", sniff)
    return Callers


@pytest.mark.parametrize(
    ("come", "code"),
    [
        ((caller(),), 0),
        ((caller(b"GET / HTTP/1.1\r\n"),), 3),
        ((caller(), caller(b"GET / HTTP/1.1\r\n")), 3),
        ((caller(b""), caller()), 0),  # who said nothing is no client
    ],
)
def test_the_exit_code_says_whether_all_are_ready(callers, come, code, capsys):
    callers.come = come

    assert cli.main(["sniff"]) == code


def test_the_address_is_told_apart_from_the_findings(callers, capsys):
    cli.main(["sniff", "-o", "json"])
    told = capsys.readouterr()

    assert told.err.startswith("listening on 127.0.0.1:")
    assert json.loads(told.out)["post_quantum"] is True


def test_each_caller_is_a_line_of_json(callers, capsys):
    callers.come = (caller(), caller())
    cli.main(["sniff", "--count", "2", "-o", "json"])

    assert callers.count == 2
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_people_get_lines(callers, capsys):
    cli.main(["sniff"])

    assert capsys.readouterr().out.startswith("√ 127.0.0.1:5  post-quantum")


@pytest.mark.parametrize(("come", "code"), [((caller(),), 0), ((), 130)])
def test_an_interrupt_ends_it_with_what_came_so_far(callers, come, code):
    callers.come, callers.interrupted = come, True

    assert cli.main(["sniff", "--count", "0"]) == code


@pytest.mark.parametrize("listen", ["127.0.0.1:0", ":0", "[::1]:0", "localhost:0"])
def test_it_listens_where_it_is_told(callers, listen):
    assert cli.main(["sniff", listen]) == 0
    assert callers.address[1] > 0


def test_it_listens_on_a_unix_socket(callers, tmp_path):
    assert cli.main(["sniff", f"unix:{tmp_path / 's'}"]) == 0


def test_a_busy_port_is_an_error_with_a_hint(callers, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = cli.main(["sniff", f"127.0.0.1:{taken.getsockname()[1]}"])

    assert code == 1
    assert "address already in use\nhint: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["8443"], ["--count", "-1"], ["--count", "many"]])
def test_a_wrong_command_line_ends_with_2(callers, arguments, capsys):
    assert cli.main(["sniff", *arguments]) == 2
    assert capsys.readouterr().err.startswith("pqproxy: error: ")
