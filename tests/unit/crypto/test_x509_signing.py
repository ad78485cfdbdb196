from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pqproxy.crypto import CryptoError, load_provider
from pqproxy.crypto.composite_halves import ML_DSA_65
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import InvalidHalves
from pqproxy.crypto.expanded_keys import ExpandedPrivateKey
from pqproxy.crypto.spki import AlgorithmIdentifier, certificate_key, request_key
from pqproxy.crypto.x509_signing import (
    authority_key_identifier,
    sign_certificate,
    sign_request,
    sign_revocation_list,
    subject_key_identifier,
)
from tests.support import pki

SIGNATURES = load_provider().signatures
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=90)
NAMES = x509.SubjectAlternativeName([x509.DNSName("llm.test")])


@pytest.fixture(params=COMPOSITES, ids=lambda each: each.name)
def algorithm(request):
    return request.param


def builder(not_after=LATER):
    return (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .serial_number(4711)
        .not_valid_before(NOW)
        .not_valid_after(not_after)
        .add_extension(NAMES, critical=True)
    )


@pytest.mark.parametrize("not_after", [LATER, datetime(2060, 1, 1, tzinfo=UTC)])
def test_a_composite_certificate_is_the_library_s_but_for_key_and_signature(algorithm, not_after):
    """Dates beyond 2049 are written otherwise (RFC 5280 §4.1.2.5)."""
    key = algorithm.generate()
    certificate = sign_certificate(builder(not_after), key.public_key(), key)

    plain = ec.generate_private_key(ec.SECP256R1())
    model = sign_certificate(builder(not_after), plain.public_key(), plain)
    for field in ("subject", "serial_number", "not_valid_after_utc", "version"):
        assert getattr(certificate, field) == getattr(model, field)
    assert list(certificate.extensions) == list(model.extensions)
    assert certificate.signature_algorithm_oid == certificate.public_key_algorithm_oid
    assert certificate.signature_algorithm_oid == algorithm.oid
    assert certificate_key(certificate) == key.public_key()
    SIGNATURES[algorithm.name].verify(
        key.public_key(), certificate.signature, certificate.tbs_certificate_bytes
    )


def test_what_is_signed_names_its_algorithm_twice_and_alike(algorithm):
    """RFC 5280 §4.1.1.2: else the one that counts for a verifier may be the one nobody signed."""
    key = algorithm.generate()
    certificate = sign_certificate(builder(), key.public_key(), key)
    template = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW)
    listed = sign_revocation_list(template.next_update(LATER), key)

    identifier = asn1.encode_der(AlgorithmIdentifier(algorithm=algorithm.oid))
    for whole, signed in (
        (certificate.public_bytes(Encoding.DER), certificate.tbs_certificate_bytes),
        (listed.public_bytes(Encoding.DER), listed.tbs_certlist_bytes),
    ):
        behind = whole[whole.index(signed) + len(signed) :]
        assert behind.startswith(identifier)
        assert identifier in signed


@pytest.mark.parametrize("position", [0, -1])
def test_half_a_signature_on_a_certificate_is_none(algorithm, position):
    key = algorithm.generate()
    certificate = sign_certificate(builder(), key.public_key(), key)
    made = bytearray(certificate.signature)
    made[position] ^= 1

    with pytest.raises(InvalidHalves):
        SIGNATURES[algorithm.name].verify(
            key.public_key(), bytes(made), certificate.tbs_certificate_bytes
        )


def test_a_composite_authority_certifies_other_keys_too(algorithm):
    key, plain = algorithm.generate(), ec.generate_private_key(ec.SECP256R1())
    certificate = sign_certificate(builder(), plain.public_key(), key)

    assert certificate_key(certificate) == plain.public_key()
    SIGNATURES[algorithm.name].verify(
        key.public_key(), certificate.signature, certificate.tbs_certificate_bytes
    )


def test_no_other_authority_certifies_composite_keys(algorithm):
    plain = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(CryptoError, match="composite authority only"):
        sign_certificate(builder(), algorithm.generate().public_key(), plain)


def test_a_request_is_signed_by_the_key_in_it(algorithm):
    key = algorithm.generate()
    template = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    request = sign_request(template.add_extension(NAMES, critical=False), key)

    assert request.subject == NAME
    assert request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == NAMES
    assert request_key(request) == key.public_key()
    SIGNATURES[algorithm.name].verify(
        key.public_key(), request.signature, request.tbs_certrequest_bytes
    )


@pytest.mark.parametrize("serials", [(), (7, 8)])
def test_a_revocation_list_holds_what_was_put_in(algorithm, serials):
    key = algorithm.generate()
    template = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(NAME)
        .last_update(NOW)
        .next_update(LATER)
        .add_extension(x509.CRLNumber(3), critical=False)
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
        template = template.add_revoked_certificate(revoked.build())
    listed = sign_revocation_list(template, key)

    assert tuple(entry.serial_number for entry in listed) == serials
    assert listed.next_update_utc == LATER
    SIGNATURES[algorithm.name].verify(key.public_key(), listed.signature, listed.tbs_certlist_bytes)


def test_what_the_library_can_sign_it_signs():
    key = ec.generate_private_key(ec.SECP384R1())
    request = sign_request(x509.CertificateSigningRequestBuilder().subject_name(NAME), key)
    assert request.is_signature_valid
    assert request_key(request) == key.public_key()
    listed = sign_revocation_list(
        x509.CertificateRevocationListBuilder()
        .issuer_name(NAME)
        .last_update(NOW)
        .next_update(LATER),
        key,
    )
    assert listed.is_signature_valid(key.public_key())
    assert listed.signature_hash_algorithm.name == "sha384"


def test_key_identifiers_belong_together():
    plain = ec.generate_private_key(ec.SECP256R1()).public_key()
    for key in (plain, COMPOSITES[0].generate().public_key()):
        subject, authority = subject_key_identifier(key), authority_key_identifier(key)
        assert subject.key_identifier == authority.key_identifier
        assert len(subject.digest) == 20
    expected = x509.AuthorityKeyIdentifier.from_issuer_public_key(plain)
    assert authority_key_identifier(plain) == expected


def test_an_expanded_key_signs_none_of_the_three():
    """The library, which builds them, would have to sign."""
    key = ExpandedPrivateKey(ML_DSA_65, pki.key("mldsa65").public_key(), bytes(4032), None)
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    revoked = x509.CertificateRevocationListBuilder().issuer_name(NAME)
    revoked = revoked.last_update(NOW).next_update(LATER)

    for sign in (
        lambda: sign_certificate(builder(), key.public_key(), key),
        lambda: sign_request(request, key),
        lambda: sign_revocation_list(revoked, key),
    ):
        with pytest.raises(CryptoError, match="in the expanded form signs no certificates"):
            sign()
