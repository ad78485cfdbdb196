import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import InvalidHalves, InvalidSignature
from pqproxy.crypto.spki import certificate_key
from pqproxy.crypto.x509_verification import certificate_signature, involves_composite
from tests.support import pki

COMPOSITE_KINDS = tuple(each.key_algorithm for each in COMPOSITES)
KIND = COMPOSITE_KINDS[0]
ROOT = pki.root(KIND)
LEAF = ROOT.issue(dns=("a.test",)).certificate


def verify(certificate, issuer):
    certificate_signature(certificate).verify(certificate_key(issuer))


@pytest.mark.parametrize("kind", [*pki.ALGORITHMS, *COMPOSITE_KINDS])
def test_signatures_of_every_kind_verify_with_the_key_that_made_them_and_no_other(kind):
    """Against `cryptography`, which signed all but the composite ones."""
    root, other = pki.root(kind), pki.root(kind, name="other")
    leaf = root.issue(dns=("a.test",)).certificate

    verify(leaf, root.certificate)
    with pytest.raises(InvalidSignature):
        verify(leaf, other.certificate)


@pytest.mark.parametrize("hash_algorithm", [hashes.SHA256(), hashes.SHA384()], ids=lambda h: h.name)
def test_rsa_pss_is_known_with_the_one_set_of_parameters_that_tls_has(hash_algorithm):
    assert algorithm_of_pss(hash_algorithm, padding.PSS.DIGEST_LENGTH).startswith("RSA-PSS-SHA")
    with pytest.raises(InvalidSignature, match="not a known one"):
        algorithm_of_pss(hash_algorithm, 20)


def algorithm_of_pss(hash_algorithm, salt_length):
    key = pki.key("rsa-2048")
    name = ROOT.certificate.subject
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(pki.NOT_BEFORE).not_valid_after(pki.NOT_AFTER)
    pss = padding.PSS(padding.MGF1(hash_algorithm), salt_length)
    signature = certificate_signature(builder.sign(key, hash_algorithm, rsa_padding=pss))
    signature.verify(key.public_key())
    return signature.algorithm.name


def test_the_bad_half_of_a_composite_is_named():
    der = bytearray(LEAF.public_bytes(Encoding.DER))
    der[-1] ^= 1

    with pytest.raises(InvalidHalves) as refusal:
        verify(x509.load_der_x509_certificate(bytes(der)), ROOT.certificate)

    assert refusal.value.halves == {"ML-DSA-65": True, "ECDSA-P256-SHA256": False}


NULL = "0500"
OID = pki.der_of(COMPOSITES[0].oid)
WITH_NULL = bytes([0x30, len(OID)]) + OID[2:] + bytes.fromhex(NULL)


@pytest.mark.parametrize(
    ("inner", "outer", "why"),
    [
        (OID, pki.der_of(COMPOSITES[1].oid), "named twice, and differently"),
        (pki.der_of(COMPOSITES[1].oid), OID, "named twice, and differently"),
        (OID, WITH_NULL, "named twice, and differently"),
        (WITH_NULL, WITH_NULL, "not a known one"),
        (pki.der_of(x509.ObjectIdentifier("2.16.840.1.114027.80.8.1.28")),) * 2
        + ("not a known one",),
    ],
    ids=["outer", "inner", "parameters outside", "parameters", "an OID of an older draft"],
)
def test_an_algorithm_that_is_not_exactly_a_known_one_is_refused(inner, outer, why):
    def name_inside(tbs):
        tbs.signature = pki.asn1.decode_der(pki.asn1.TLV, inner)

    certificate = pki.edited(LEAF, name_inside, ROOT.key)
    certificate = pki.outside(certificate.tbs_certificate_bytes, outer, certificate.signature)

    with pytest.raises(InvalidSignature, match=why):
        certificate_signature(certificate)


def test_a_signature_is_whole_bytes():
    """Else a byte outside of all that is signed could be changed."""
    even = LEAF.signature[:-1] + bytes([LEAF.signature[-1] & 0xFE])
    certificate = pki.outside(LEAF.tbs_certificate_bytes, OID, even, padding_bits=1)

    with pytest.raises(InvalidSignature, match="whole number of bytes"):
        certificate_signature(certificate)


def test_a_certificate_involves_a_composite_by_its_key_or_by_its_signature():
    below = ROOT.issue(dns=("a.test",), algorithm="ecdsa-p256").certificate

    assert involves_composite(LEAF)
    assert involves_composite(below)
    assert not involves_composite(pki.root().certificate)
