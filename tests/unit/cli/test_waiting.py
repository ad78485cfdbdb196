import logging
import signal
import socket
import threading

import pytest

from pqproxy.cli import waiting
from pqproxy.cli.waiting import Told, load_when_there
from pqproxy.telemetry import log
from tests.support import pki

TEXT = """\
version: 1
wait_for_files: 60s
identities: {llm: {certificate: tls/}}
trust: {mesh: {roots: [tls/]}}
egress:
  - {name: x, listen: "127.0.0.1:1", connect: ["h:1"], identities: [llm], trust: mesh}
"""


class Place:
    """A configuration, and what happens to its files while somebody waits for them."""

    def __init__(self, directory):
        self.directory = directory
        self.config = directory / "proxy.yaml"
        self.leaf = pki.root().issue(uris=("spiffe://corp/llm",))
        self.now = 0.0
        self.steps = []
        self.configure(TEXT)

    def configure(self, text):
        self.config.write_text(text)

    def write(self, certificate=None, key=None, roots=None):
        (self.directory / "tls").mkdir(exist_ok=True)
        (self.directory / "tls/tls.crt").write_bytes(certificate or self.leaf.certificate_pem)
        (self.directory / "tls/tls.key").write_bytes(key or self.leaf.key_pem)
        (self.directory / "tls/ca.crt").write_bytes(roots or pki.root().certificate_pem)

    def pause(self, seconds):
        assert seconds <= 0.5
        self.now += seconds
        if self.steps:
            self.steps.pop(0)()

    def load(self):
        return load_when_there(self.config, lambda: self.now)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "configure", lambda *_: None)
    return Place(tmp_path)


@pytest.fixture
def steps(place, monkeypatch):
    monkeypatch.setattr(waiting, "_pause", place.pause)
    return place.steps


def test_files_that_come_late_are_waited_for_with_one_line_for_each_end(place, steps, caplog):
    steps += [lambda: None, lambda: None, place.write]

    with caplog.at_level(logging.INFO):
        settings = place.load().settings()

    assert settings.identities[0].key == place.leaf.key_pem
    began, came = caplog.messages
    assert began.startswith("waiting up to 60 s for files (wait_for_files): ")
    assert f"identities.llm.certificate: there is no {place.directory}/tls" in began
    assert f"trust.mesh.roots.0: there is no {place.directory}/tls" in began
    assert came == "the files came after 1.5 s"


@pytest.mark.parametrize(
    "unfinished",
    [
        {"certificate": b"-----BEGIN CERTIFICATE-----\nMIIB"},
        {"key": b"-----BEGIN PRIVATE KEY-----\nMIIB"},
        {"key": pki.self_signed(name="other").key_pem},
        {"roots": b" \n"},
        {"roots": b"-----BEGIN CERTIFICATE-----\nMIIB"},
    ],
    ids=["certificate", "key", "mismatch", "empty roots", "roots"],
)
def test_what_is_half_written_is_not_there_yet(place, steps, unfinished):
    place.write(**unfinished)
    steps += [place.write]

    assert place.load().settings().trust
    assert not steps


def test_what_never_comes_is_the_usual_error_once_the_time_is_over(place, steps, caplog):
    parsed = place.load()

    assert place.now == 60.0
    assert [problem.path[0] for problem in parsed.problems] == ["identities", "trust"]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("line", ["workers: 0", "wrokers: 1", "crypto: {provider: none}"])
def test_a_mistake_in_the_configuration_is_said_at_once(place, steps, line):
    """Nobody who waited a minute wants to hear of a typing error then."""
    place.configure(f"{TEXT}{line}\n")

    assert len(place.load().problems) == 3
    assert place.now == 0.0


@pytest.mark.parametrize("line", ["", "wait_for_files: 0s\n", "wait_for_files: soon\n"])
def test_without_a_time_nothing_is_waited_for(place, steps, line):
    place.configure(TEXT.replace("wait_for_files: 60s\n", line))

    assert place.load().problems
    assert place.now == 0.0


def test_what_is_there_is_not_waited_for(place, steps, caplog):
    place.write()

    assert place.load().settings()
    assert place.now == 0.0
    assert caplog.messages == []


def test_the_configuration_is_the_one_that_was_read_first(place, steps):
    def edit():
        place.configure("nonsense")
        place.write()

    steps += [edit]

    assert place.load().settings()


def test_a_service_manager_is_told_to_be_patient(place, steps, tmp_path, monkeypatch):
    """Else it ends what it started after 90 s, whatever is waited for."""
    steps += [place.write]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        place.load()

        said = manager.recv(4096).decode().split("\n")
    assert said == ["EXTEND_TIMEOUT_USEC=90000000", "STATUS=waiting for files"]


@pytest.fixture
def send(monkeypatch):
    """A signal that comes while the files are looked at: it must not be lost."""
    load_config = waiting.load_config

    def send(*numbers):
        remaining = [*numbers]

        def load(path, text=None):
            if text is not None and remaining:
                signal.pthread_kill(threading.get_ident(), remaining.pop(0))
            return load_config(path, text)

        monkeypatch.setattr(waiting, "load_config", load)
        return remaining

    monkeypatch.setattr(waiting, "_INTERVAL", 0.01)
    return send


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whoever_waits_can_be_told_to_leave(place, send, number, caplog):
    send(number)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    with caplog.at_level(logging.INFO), pytest.raises(Told):
        place.load()

    assert caplog.messages[-1] == "told to leave while waiting for files"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.parametrize("has_terminal", [True, False])
def test_a_hangup_ends_the_waiting_only_when_the_terminal_is_gone(
    place, send, has_terminal, monkeypatch
):
    monkeypatch.setattr(log, "stderr_is_terminal", lambda: has_terminal)
    left = send(signal.SIGHUP, signal.SIGTERM)

    with pytest.raises(Told):
        place.load()

    assert left == ([signal.SIGTERM] if has_terminal else [])
