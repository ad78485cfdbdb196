import ipaddress

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.identity.names import SpiffeId, dns_name, is_spiffe, printable, read_names
from tests.support import pki


@pytest.mark.parametrize("text", ["spiffe://corp", "spiffe://corp.test/ns/apps/sa/llm-1_a.b"])
def test_a_spiffe_id_is_read_and_written_unchanged(text):
    assert str(SpiffeId.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://corp/a",
        "SPIFFE://corp/a",
        "spiffe:/corp/a",
        "spiffe:///a",
        "spiffe://Corp/a",
        "spiffe://corp:8443/a",
        "spiffe://user@corp/a",
        "spiffe://corp/",
        "spiffe://corp/a/",
        "spiffe://corp//a",
        "spiffe://corp/a/../b",
        "spiffe://corp/./a",
        "spiffe://corp/a?b",
        "spiffe://corp/a#b",
        "spiffe://corp/%61",
        "spiffe://corp/*",
        "spiffe://corp/ä",
        "spiffe://corp/a\n",
        "spiffe://corp/" + "a" * 2048,
    ],
)
def test_an_id_that_two_programs_could_read_differently_is_refused(text):
    with pytest.raises(ValueError, match=r"spiffe|trust domain|path segment"):
        SpiffeId.parse(text)


@pytest.mark.parametrize("text", ["spiffe:x", "SPIFFE://corp/a", "spiffe://corp"])
def test_whatever_claims_the_scheme_counts_as_spiffe(text):
    """Otherwise a peer could slip past the rules for SPIFFE IDs by spelling one badly."""
    assert is_spiffe(text)
    assert not is_spiffe("https://spiffe:")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("LLM.Example.com", "llm.example.com"),
        ("llm.example.com.", "llm.example.com"),
        ("*.example.com", "*.example.com"),
        ("localhost", "localhost"),
        ("my_service.ns", "my_service.ns"),
        ("a" * 63 + ".test", "a" * 63 + ".test"),
    ],
)
def test_dns_names_are_normalised(text, normal):
    assert dns_name(text) == normal


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "-a.test", "a-.test", "a.*.test", "*", "*a.test", "a b", "10.0.0.300",
     "a" * 64 + ".test", ".".join(["a" * 60] * 5), "llm.test\n", "spiffe://corp"],
)  # fmt: skip
def test_what_is_no_dns_name_is_refused(text):
    with pytest.raises(ValueError, match="DNS name"):
        dns_name(text)


def test_the_names_of_a_certificate_are_read_in_their_usual_form():
    leaf = pki.root().issue(
        uris=("spiffe://corp/a",), dns=("LLM.Test",), ips=("10.0.0.7", "2001:DB8:0::1")
    )

    names = read_names(leaf.certificate)

    assert names.uris == ("spiffe://corp/a",)
    assert names.dns_names == ("llm.test",)
    assert names.ip_addresses == ("10.0.0.7", "2001:db8::1")
    assert names.subject == "CN=leaf"


def test_a_network_in_a_certificate_is_not_an_address():
    """iPAddress with a mask belongs into name constraints; in a SAN it names nobody."""
    network = x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))
    leaf = pki.root().issue(extra=((x509.SubjectAlternativeName([network]), False),))

    assert read_names(leaf.certificate).ip_addresses == ()


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        ({"uris": ("spiffe://corp/a",), "dns": ("a.test",), "ips": ("::1",)}, "spiffe://corp/a"),
        ({"dns": ("a.test",), "ips": ("::1",)}, "a.test"),
        ({"ips": ("::1",)}, "::1"),
        ({}, "CN=leaf"),
    ],
)
def test_the_most_telling_name_is_shown(request_, shown):
    assert read_names(pki.root().issue(**request_).certificate).name == shown


def test_a_name_cannot_forge_a_line_of_the_log():
    leaf = pki.root().issue(dns=("a.test\naccepted peer=admin\x1b[2K",))

    assert read_names(leaf.certificate).name == "a.test\\x0aaccepted peer=admin\\x1b[2k"


@given(st.text())
def test_printable_text_is_one_short_line(text):
    shown = printable(text)

    assert shown.isprintable()
    assert len(shown) <= 256
