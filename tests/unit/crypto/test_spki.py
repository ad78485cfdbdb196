from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.crypto import InvalidInput
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.spki import (
    TbsCertificate,
    certificate_key,
    encode_public_key,
    read_public_key,
)

KEYS = {
    "ecdsa-p256": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
    "mldsa65": mldsa.MLDSA65PrivateKey.generate(),
    **{each.key_algorithm: each.generate() for each in COMPOSITES},
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_survive_being_written_and_read(kind):
    public_key = KEYS[kind].public_key()
    assert read_public_key(encode_public_key(public_key)) == public_key


def test_composite_keys_with_parameters_or_odd_bits_are_refused():
    der = encode_public_key(KEYS["mldsa65-ecdsa-p256"].public_key())
    position = der.index(b"\x03\x82") + 4
    odd_bits = der[:position] + b"\x01" + der[position + 1 :]
    with pytest.raises(ValueError, match=r".*"):
        read_public_key(odd_bits)
    oid = der.index(b"\x06\x08")
    sequence = bytearray(der)
    with_null = bytes(sequence[: oid + 10]) + b"\x05\x00" + bytes(sequence[oid + 10 :])
    fixed = bytearray(with_null)
    fixed[oid - 1] += 2
    length = int.from_bytes(fixed[2:4]) + 2
    fixed[2:4] = length.to_bytes(2)
    with pytest.raises((UnsupportedAlgorithm, ValueError)):
        read_public_key(bytes(fixed))


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(size)]) + size + body


def spki(raw, arc=45, parameters=b"", unused_bits=0):
    """A SubjectPublicKeyInfo, put together by hand."""
    oid = bytes.fromhex("06082b060105050706") + bytes([arc])
    return der(0x30, der(0x30, oid, parameters), der(0x03, bytes([unused_bits]), raw))


def certified(public_key):
    """A certificate that holds these bytes where its key is. Nobody signed it."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = (
        x509.CertificateBuilder(name, name, KEYS["mldsa65"].public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    )
    tbs = asn1.decode_der(TbsCertificate, builder.create_unsigned().tbs_certificate_bytes)
    tbs.public_key = asn1.decode_der(asn1.TLV, public_key)
    algorithm = der(0x30, bytes.fromhex("06082b0601050507062d"))
    tbs.signature = asn1.decode_der(asn1.TLV, algorithm)
    whole = der(0x30, asn1.encode_der(tbs), algorithm, der(0x03, b"\0signature"))
    return x509.load_der_x509_certificate(whole)


COMPOSITE = KEYS["mldsa65-ecdsa-p256"].public_key()
RAW = COMPOSITE.public_bytes_raw()
OTHER = KEYS["mldsa65-ed25519"].public_key().public_bytes_raw()


def test_the_bytes_of_a_composite_key_are_those_of_the_draft():
    assert encode_public_key(COMPOSITE) == spki(RAW)
    assert certificate_key(certified(spki(RAW))) == COMPOSITE


MALFORMED_KEYS = {
    "empty": spki(b""),
    "ML-DSA alone": spki(RAW[:1952]),
    "the other half alone": spki(RAW[1952:]),
    "halves exchanged": spki(RAW[1952:] + RAW[:1952]),
    "short": spki(RAW[:-1]),
    "long": spki(RAW + b"\0"),
    "compressed point": spki(RAW[:1952] + b"\2" + RAW[1953:1985]),
    "point at infinity": spki(RAW[:1952] + b"\0"),
    "point off the curve": spki(RAW[:-1] + bytes([RAW[-1] ^ 1])),
    "Ed25519 of small order": spki(OTHER[:1952] + b"\1" + bytes(31), arc=48),
    "keys of another algorithm": spki(OTHER),
    "algorithm of another key": spki(RAW, arc=49),
    "null parameters": spki(RAW, parameters=b"\5\0"),
    "parameters": spki(RAW, parameters=bytes.fromhex("06082a8648ce3d030107")),
    "unused bits": spki(RAW[:-1] + b"\0", unused_bits=4),
    "wrapped": spki(der(0x04, RAW)),
}


@pytest.mark.parametrize("malformed", MALFORMED_KEYS.values(), ids=MALFORMED_KEYS)
def test_a_malformed_composite_key_is_refused_alone_and_in_a_certificate(malformed):
    with pytest.raises((ValueError, UnsupportedAlgorithm)):
        read_public_key(malformed)
    with pytest.raises((ValueError, UnsupportedAlgorithm)):
        certificate_key(certified(malformed))


@pytest.mark.parametrize(
    "malformed",
    [spki(RAW) + b"\0", spki(RAW)[:-1], b"\x30\x80" + spki(RAW)[4:] + b"\0\0"],
    ids=["behind", "cut", "indefinite"],
)
def test_what_is_not_der_is_no_key(malformed):
    with pytest.raises((ValueError, UnsupportedAlgorithm)):
        read_public_key(malformed)


@given(st.integers(0, 40) | st.integers(1960, len(spki(RAW)) - 1), st.integers(1, 255))
def test_a_composite_key_has_one_encoding(position, flip):
    """Whatever is read is written as the same bytes: what is compared as bytes is the key."""
    changed = bytearray(spki(RAW))
    changed[position] ^= flip
    try:
        key = read_public_key(bytes(changed))
    except (ValueError, UnsupportedAlgorithm):
        return
    assert encode_public_key(key) == changed


@given(st.binary(max_size=300))
def test_any_bytes_are_a_key_or_an_expected_error(der):
    with suppress(InvalidInput, ValueError, UnsupportedAlgorithm):
        read_public_key(der)
