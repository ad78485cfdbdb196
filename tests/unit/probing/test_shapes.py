"""Hellos of the programs themselves, as they came over a socket; one file each in `hellos/`.

The name of a file says the program and its version (for what imitates a browser: the browser).
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.probing.greeting import GreetingReader
from pqproxy.probing.hellos import older_hello, shareless_hello
from pqproxy.probing.shapes import recognise
from pqproxy.tls import ClientConfig, ClientConnection, NamedGroup
from tests.support.loopback import PROVIDER

HELLOS = Path(__file__).parent / "hellos"
CURL = "curl, with OpenSSL 3.0 or 3.1"
PYTHON = "Python, with OpenSSL 3.0 or 3.1"
CHROMIUM = "Chrome, or another Chromium browser"
NSS = "Firefox, or another program with NSS"
APPLE = "Safari, or another program with Apple's TLS"

PROGRAMS = {
    "boringssl": "BoringSSL",
    "chrome": CHROMIUM,
    "chrome-110": CHROMIUM,
    "curl-openssl-3.0": CURL,
    "curl-tls-1.2": "OpenSSL",  # without TLS 1.3 nothing tells the two apart
    "firefox": NSS,
    "firefox-classical": NSS,
    "gnutls": "GnuTLS",
    "go-1.22": "Go 1.22 or older",
    "go-1.23": "Go 1.23",
    "go-1.24": "Go 1.24",
    "go-1.25": "Go 1.25 or newer",
    "go-1.26": "Go 1.26 or newer",
    "go-1.27": "Go 1.27 or newer",
    "grpc": "gRPC (its C core, with BoringSSL)",
    "java-17": "Java (JSSE)",
    "java-17-httpclient": "Java (JSSE)",
    "java-17-tls-1.2": "Java (JSSE)",
    "node-20": "Node.js, with OpenSSL 3.0 or 3.1",
    "node-22": "Node.js, with OpenSSL 3.5 or newer",
    "node-24": "Node.js, with OpenSSL 3.5 or newer",
    "openssl-1.1.1": "OpenSSL 1.1.1",
    "openssl-3.0": "OpenSSL 3.0 or 3.1",
    "openssl-3.0-tls-1.2": "OpenSSL",
    "openssl-3.2": "OpenSSL 3.2 or 3.3",
    "openssl-3.3": "OpenSSL 3.2 or 3.3",
    "openssl-3.4": "OpenSSL 3.4",
    "openssl-3.5": "OpenSSL 3.5 or newer",
    "openssl-4.0": "OpenSSL 4.0 or newer",
    "pqproxy": "pqproxy",
    "python-aiohttp": PYTHON,
    "python-pip": PYTHON,
    "python-urllib": PYTHON,
    "rustls": "rustls",
    "safari": APPLE,
    "safari-classical": APPLE,
    "tlslite": "tlslite-ng",
}


def hello(record):
    reader = GreetingReader()
    reader.feed(record)
    return reader.greeting().hello


@pytest.mark.parametrize(("name", "program"), PROGRAMS.items(), ids=list(PROGRAMS))
def test_a_program_is_told_by_its_hello(name, program):
    assert recognise(hello((HELLOS / f"{name}.bin").read_bytes())).name == program


def test_every_recorded_hello_has_its_row():
    assert {path.stem for path in HELLOS.glob("*.bin")} == set(PROGRAMS)


@pytest.mark.parametrize("record", [older_hello("x.test"), shareless_hello((0x19,), None)])
def test_a_hello_that_fits_nothing_is_of_nobody(record):
    assert recognise(hello(record)) is None


def test_our_own_client_is_told_whatever_it_offers():
    x25519 = (NamedGroup.x25519,)
    connection = ClientConnection(ClientConfig(PROVIDER, groups=x25519, key_shares=x25519))

    assert recognise(hello(connection.take_output())).family == "pqproxy"


@pytest.mark.parametrize(
    ("name", "could"), [("openssl-3.5", True), ("go-1.25", True), ("openssl-3.4", False)]
)
def test_who_could_is_told_from_who_cannot(name, could):
    """Their advice differs: a setting, or an upgrade."""
    assert recognise(hello((HELLOS / f"{name}.bin").read_bytes())).chooses_groups is could


@given(st.lists(st.integers(0, 0xFFFF), max_size=50, unique=True))
def test_any_groups_leave_a_program_told_or_not(groups):
    recognise(hello(shareless_hello(groups or [1], "x.test")))
