import pytest
from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.crypto.certificate_size import (
    MAX_AUTHORITY_EXTENSIONS,
    MAX_LEAF_EXTENSIONS,
    MAX_NAME,
    is_too_large,
)
from tests.support import pki

ROOT = pki.root()


def with_extension(content):
    extra = ((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3"), bytes(content)), False),)
    return ROOT.issue(dns=("a.test",), extra=extra).chain_der[0]


def extensions_length(der):
    """Of the content of `[3]`, seen from the end of the part that is signed."""
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    return len(signed) - signed.index(b"\xa3\x82") - 4


@pytest.mark.parametrize("algorithm", pki.ALGORITHMS)
def test_certificates_of_every_algorithm_are_not_too_large(algorithm):
    root = pki.root(algorithm)
    leaf = root.issue(dns=tuple(f"model-{number}.apps.corp.test" for number in range(200)))

    assert not is_too_large(root.certificate_der, authority=True)
    assert not is_too_large(leaf.chain_der[0], authority=False)


@pytest.mark.parametrize(
    ("authority", "limit"), [(False, MAX_LEAF_EXTENSIONS), (True, MAX_AUTHORITY_EXTENSIONS)]
)
def test_extensions_at_their_limit_pass_and_a_byte_more_does_not(authority, limit):
    content = 1000 + limit - extensions_length(with_extension(1000))
    largest, larger = with_extension(content), with_extension(content + 1)

    assert (extensions_length(largest), extensions_length(larger)) == (limit, limit + 1)
    assert not is_too_large(largest, authority=authority)
    assert is_too_large(larger, authority=authority)


def name(length):
    """A name whose content has so many bytes, of which 17 are headers."""
    text = "a" * (length - 17)
    return x509.Name([x509.NameAttribute(x509.NameOID.DN_QUALIFIER, text)])


@pytest.mark.parametrize("field", ["subject", "issuer"])
def test_a_name_at_its_limit_passes_and_a_byte_more_does_not(field):
    for length, too_large in ((MAX_NAME, False), (MAX_NAME + 1, True)):
        own = {"subject": ROOT.certificate.subject, "issuer": ROOT.certificate.subject}
        own[field] = name(length)
        assert len(own[field].public_bytes()) - 4 == length
        der = pki.named(own["subject"], own["issuer"])
        assert is_too_large(der, authority=False) is too_large


@given(st.binary(max_size=64))
def test_what_is_no_certificate_is_left_to_the_parser(data):
    assert is_too_large(data, authority=False) in (True, False)
    assert not is_too_large(data[:8], authority=True)
