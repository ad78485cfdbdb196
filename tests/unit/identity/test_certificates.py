from datetime import timedelta

import pytest
from cryptography import x509

from pqproxy.identity.certificates import (
    ALGORITHMS,
    Issuer,
    LeafNames,
    Validity,
    build_leaf,
    build_root,
)
from pqproxy.identity.errors import IdentityError
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",), ("LLM.test",), ("2001:DB8:0::1",))
KEY = pki.key("ecdsa-p256")
YEAR = Validity.starting(pki.NOW, 365)


def root(trust_domain=None, days=365):
    return build_root(KEY, "ecdsa-p256", Validity.starting(pki.NOW, days), trust_domain)


def leaf(issuer=None):
    return build_leaf(KEY.public_key(), "llm", NAMES, YEAR, Issuer(issuer or root(), KEY))


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def test_a_root_may_sign_leaves_and_nothing_else():
    certificate = root()

    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.digital_signature) == (True, False)


def test_a_root_declares_the_trust_domain_it_is_given_and_none_otherwise():
    names = extension(root("corp"), x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://corp"]
    assert extension(root("spiffe://corp"), x509.SubjectAlternativeName).value == names
    with pytest.raises(x509.ExtensionNotFound):
        extension(root(), x509.SubjectAlternativeName)


@pytest.mark.parametrize("domain", ["Corp", "", "corp:80", "spiffe://corp/a", "https://corp"])
def test_what_is_no_trust_domain_is_refused(domain):
    with pytest.raises(IdentityError, match=r"trust domain|does not start with"):
        root(domain)


def test_two_roots_have_different_names_and_serial_numbers():
    """Two authorities of one name with different keys make errors that nobody understands."""
    one, other = root(), root()

    assert one.subject != other.subject
    assert one.serial_number != other.serial_number


def test_a_leaf_has_what_peers_look_for():
    certificate = leaf()

    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    names = extension(certificate, x509.SubjectAlternativeName).value
    identifier = extension(certificate, x509.AuthorityKeyIdentifier).value.key_identifier
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert (usage.critical, usage.value.digital_signature) == (True, True)
    assert not usage.value.key_cert_sign
    assert set(extension(certificate, x509.ExtendedKeyUsage).value) == {
        pki.SERVER_AUTH,
        pki.CLIENT_AUTH,
    }
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://corp/llm"]
    assert names.get_values_for_type(x509.DNSName) == ["llm.test"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["2001:db8::1"]
    assert identifier == extension(root(), x509.SubjectKeyIdentifier).value.digest


def test_a_leaf_is_valid_where_the_clock_is_a_little_behind():
    assert leaf().not_valid_before_utc < pki.NOW - timedelta(minutes=30)
    assert leaf().not_valid_after_utc == pki.NOW + timedelta(days=365)


def test_a_leaf_ends_with_its_issuer_at_the_latest():
    issuer = root(days=10)

    assert leaf(issuer).not_valid_after_utc == issuer.not_valid_after_utc


@pytest.mark.parametrize("days", [-1, 0, 36_501])
def test_odd_validities_are_refused(days):
    with pytest.raises(IdentityError, match=f"{days} days is not a validity"):
        Validity.starting(pki.NOW, days)


@pytest.mark.parametrize("days", [1, 36_500])
def test_the_bounds_of_a_validity_are_accepted(days):
    assert Validity.starting(pki.NOW, days).not_after == pki.NOW + timedelta(days=days)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, "needs a name that peers can check"),
        ({"spiffe": ("spiffe://a/b", "spiffe://a/c")}, "holds one SPIFFE ID, not 2"),
        ({"spiffe": ("spiffe://corp",)}, "names a trust domain, not a peer"),
        ({"spiffe": ("spiffe://corp/*",)}, "invalid path segment"),
        ({"dns": ("a b",)}, "a b is not a DNS name"),
        ({"dns": ("10.0.0.300",)}, "neither a DNS name nor an IP address"),
        ({"ip": ("llm.test",)}, "llm.test is not an IP address"),
    ],
)
def test_names_that_no_peer_would_accept_are_refused(names, message):
    with pytest.raises(IdentityError) as error:
        LeafNames.parse(**names)

    assert message in str(error.value)


def test_the_algorithms_are_those_people_are_told_of():
    assert tuple(ALGORITHMS) == (
        "mldsa65-ecdsa-p256",
        "mldsa87-ecdsa-p384",
        "mldsa65-ed25519",
        "mldsa44-ecdsa-p256",
        "ecdsa-p256",
        "ecdsa-p384",
        "rsa-2048",
        "mldsa65",
        "mldsa87",
    )


def test_an_issuer_does_not_print_its_key():
    assert "private" not in repr(Issuer(root(), KEY)).lower()
