from pathlib import Path

import pytest

from pqproxy.probing.advice import _NEWER, advise
from pqproxy.probing.greeting import Greeting, GreetingReader
from pqproxy.probing.shapes import Program, recognise

HELLOS = Path(__file__).parent / "hellos"


def greeting(record):
    reader = GreetingReader()
    reader.feed(record)
    return reader.greeting()


def advice_for(name):
    found = greeting((HELLOS / f"{name}.bin").read_bytes())
    return advise(found, recognise(found.hello))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openssl-3.0", "OpenSSL 3.5 or newer"),
        ("go-1.23", "Go 1.24 or newer"),
        ("java-17", "Java 27 or newer"),
        ("python-urllib", "ssl.OPENSSL_VERSION"),
        ("node-20", "24.5"),
        ("curl-openssl-3.0", "a curl with OpenSSL 3.5"),
        ("openssl-3.0-tls-1.2", "let it speak TLS 1.3"),
    ],
)
def test_who_is_not_ready_hears_what_to_upgrade_and_what_to_do_instead(name, said):
    assert said in advice_for(name)
    assert "pqproxy connect" in advice_for(name)


@pytest.mark.parametrize("name", ["openssl-3.5", "chrome", "go-1.24", "pqproxy"])
def test_who_is_ready_hears_nothing(name):
    assert advice_for(name) == ""


@pytest.mark.parametrize(
    ("family", "said"),
    [("openssl", "SSL_CTX_set1_groups_list"), ("go", "CurvePreferences"), ("pqproxy", "policy")],
)
def test_who_could_and_does_not_hears_which_setting(family, said):
    """A new library whose groups were chosen by somebody."""
    found = greeting((HELLOS / "openssl-3.0.bin").read_bytes())

    assert said in advise(found, Program(family, family, chooses_groups=True))


def test_who_could_and_speaks_no_tls_1_3_hears_that():
    found = greeting((HELLOS / "curl-tls-1.2.bin").read_bytes())

    assert "TLS 1.3" in advise(found, Program("go", "Go", chooses_groups=True))


def test_an_unknown_program_hears_of_libraries():
    found = greeting((HELLOS / "openssl-3.0.bin").read_bytes())

    assert "OpenSSL 3.5, Go 1.24 or Java 27" in advise(found, None)


def test_who_speaks_no_tls_hears_of_the_sidecar():
    assert "pqproxy connect" in advise(greeting(b"GET / HTTP/1.1\r\n"), None)
    assert "nobody can read it" in advise(greeting(b"\x16\x03\x01\xff\xff"), None)
    assert advise(Greeting("nothing"), None) == ""


def test_every_program_that_may_be_found_has_its_advice():
    families = {
        recognise(greeting(path.read_bytes()).hello).family for path in HELLOS.glob("*.bin")
    }

    assert families - {"pqproxy"} == set(_NEWER)
