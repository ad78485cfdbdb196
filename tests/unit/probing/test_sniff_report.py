import json
from pathlib import Path

import pytest

from pqproxy.probing.advice import advise
from pqproxy.probing.greeting import GreetingReader
from pqproxy.probing.lines import render
from pqproxy.probing.shapes import recognise
from pqproxy.probing.sniff_report import document, lines, summary
from pqproxy.probing.sniffing import Sniffed
from pqproxy.tls import NamedGroup
from pqproxy.tls.messages import ClientHello
from pqproxy.tls.record import plaintext_record
from tests.support.loopback import Endpoint

HELLOS = Path(__file__).parent / "hellos"
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "probe.md"
KEYS = [
    "peer",
    "post_quantum",
    "protocol",
    "summary",
    "program",
    "family",
    "advice",
    "reason",
    "hello",
]


def sniffed(said):
    record = (HELLOS / f"{said}.bin").read_bytes() if isinstance(said, str) else said
    reader = GreetingReader()
    reader.feed(record)
    greeting = reader.greeting()
    program = greeting.hello and recognise(greeting.hello)
    return Sniffed("127.0.0.1:5", greeting, program, advise(greeting, program))


def report(said):
    return json.loads(json.dumps(document(sniffed(said))))


def text(said):
    return render(lines(sniffed(said)), colour=False)


@pytest.mark.parametrize("said", ["chrome", "openssl-3.0-tls-1.2", b"GET / HTTP/1.1\r\n"])
def test_the_document_has_its_keys_whoever_came(said):
    assert list(report(said)) == KEYS


def test_every_key_is_in_the_documentation():
    keys = {*KEYS, *report("chrome")["hello"]}

    assert not {key for key in keys if f"`{key}`" not in DOCUMENTATION.read_text()}


def test_the_document_says_what_was_offered():
    told = report("go-1.27")
    hello = told["hello"]

    assert told["post_quantum"] is True
    assert (told["program"], told["family"]) == ("Go 1.27 or newer", "go")
    assert hello["versions"] == ["TLS 1.3", "TLS 1.2"]
    assert hello["groups"][0] == "X25519MLKEM768"
    assert hello["key_shares"] == ["X25519MLKEM768", "x25519"]
    assert (hello["mldsa"], hello["composite"]) == (True, False)
    assert hello["alpn"] == ["h2", "http/1.1"]
    assert hello["server_name"] == "localhost"
    assert hello["cipher_suites"][0] == "0xc02b"
    assert "key_share" in hello["extensions"]
    assert (hello["grease"], hello["records"], hello["reads"]) == (False, 1, 1)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("openssl-3.5", "post-quantum: OpenSSL 3.5 or newer offers X25519MLKEM768 with a share"),
        ("java-17", "not post-quantum: Java (JSSE)"),
        ("java-17-tls-1.2", "not post-quantum: Java (JSSE), TLS 1.2 at most"),
        (b"SSH-2.0-x\r\n", "not post-quantum: no ClientHello, but SSH"),
        (b"\x16\x03\x01\xff\xff", "not post-quantum: no ClientHello, but broken TLS: "),
    ],
)
def test_a_caller_in_one_line(said, line):
    assert summary(sniffed(said)).startswith(line)


def test_a_group_without_a_share_needs_another_round():
    groups = (NamedGroup.X25519MLKEM768, NamedGroup.x25519)
    record = Endpoint.client(groups=groups, key_shares=groups[1:]).take()

    assert "without a share: it needs a HelloRetryRequest" in summary(sniffed(record))


def test_people_read_the_verdict_the_advice_and_the_offer():
    told = text("curl-openssl-3.0").splitlines()

    assert told[0].startswith("× 127.0.0.1:5  not post-quantum: curl")  # noqa: RUF001
    assert "what helps" in told[1]
    assert any("x25519, secp256r1, x448" in line for line in told)
    assert any("none: only classical certificates" in line for line in told)
    assert any("one record, one read" in line for line in told)
    assert text("chrome").startswith("√ ")
    assert "GREASE" in text("chrome")


def test_what_a_caller_names_cannot_drive_a_terminal():
    record = Endpoint.client(server_name="a\x1b[2Jb", alpn_protocols=(b"\x1b[2J\xff",)).take()

    assert "\x1b" not in text(record)
    assert "\x1b" not in json.dumps(document(sniffed(record)))


def test_a_hello_of_many_thousands_is_told_in_a_few_words():
    message = ClientHello.read(Endpoint.client().take()[9:])
    many = tuple(range(4000))
    big = ClientHello(
        message.legacy_version,
        message.random,
        b"",
        many,
        message.legacy_compression_methods,
        message.extensions,
    )
    record = plaintext_record(22, big.message().encode(), 0x0301)

    assert len(report(record)["hello"]["cipher_suites"]) == 256
    assert len(text(record)) < 3000
