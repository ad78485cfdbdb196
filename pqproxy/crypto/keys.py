"""Private keys from PEM, and the words we have for kinds of keys.

A key that cannot be used is the mistake of a person who then has to convert it: each error says
what was found and what to type. No error holds a byte of the key, nor another error that might.
"""

import base64
import binascii
import re
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.composite_keys import CompositePrivateKey, CompositePublicKey
from pqproxy.crypto.errors import PrivateKeyError
from pqproxy.crypto.pkcs8 import encode_pkcs8, read_pkcs8

UNSUPPORTED = "unsupported"
SMALLEST_RSA, LARGEST_RSA = 2048, 4096  # bits
# What OpenSSL allows for the larger moduli. With an exponent as long as its modulus, a key makes
# one verification eighty times as dear: 8 ms, at the choice of a peer that proved nothing yet.
LARGEST_RSA_EXPONENT = 64  # bits

_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
_ML_DSA: tuple[tuple[str, type, type], ...] = (
    ("mldsa44", mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey),
    ("mldsa65", mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey),
    ("mldsa87", mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey),
)
_SUPPORTED = "use ECDSA P-256 or P-384, RSA of 2048 to 4096 bits, ML-DSA, or a composite of both"

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_PKCS8_BODY = re.compile(
    rb"-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----"
)


def key_algorithm(key: object) -> str:
    """Name the kind of a key: `ecdsa-p256`, `rsa`, `mldsa65-ecdsa-p256`, …, or `unsupported`."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, UNSUPPORTED)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        fits = SMALLEST_RSA <= key.key_size <= LARGEST_RSA and not has_long_exponent(key)
        return "rsa" if fits else UNSUPPORTED
    if isinstance(key, CompositePrivateKey | CompositePublicKey):
        return key.algorithm.key_algorithm
    for name, private, public in _ML_DSA:
        if isinstance(key, private | public):
            return name
    return UNSUPPORTED


def has_long_exponent(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> bool:
    """Whether it takes long to verify what an RSA key signed."""
    public_key = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    return public_key.public_numbers().e.bit_length() > LARGEST_RSA_EXPONENT


def load_private_key(pem: bytes, *, checked: bool = False) -> PrivateKey:
    """Read an unencrypted PEM key that pqproxy can use. Raises PrivateKeyError.

    Of a key that was `checked`, by reading it once before, the primes are not tried again: with
    RSA that takes 60 ms, in which no other thread runs.
    """
    _refuse_what_is_no_plain_key(pem)
    key = _read_with_library(pem, checked) or _read_pkcs8_body(pem)
    if key is None:
        raise PrivateKeyError(
            f"private key is damaged or of an algorithm pqproxy does not know; {_SUPPORTED}"
        )
    if key_algorithm(key) == UNSUPPORTED:
        raise PrivateKeyError(f"{_describe(key)} is not supported; {_SUPPORTED}")
    return cast(PrivateKey, key)


def encode_private_key(key: PrivateKey) -> bytes:
    """Return the PEM of a key: PKCS#8, not encrypted."""
    if isinstance(key, CompositePrivateKey):
        body = base64.b64encode(encode_pkcs8(key)).decode("ascii")
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n".encode()
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _refuse_what_is_no_plain_key(pem: bytes) -> None:
    labels = [label.decode("ascii") for label in _LABEL.findall(pem)]
    if not labels:
        convert = "; if it is DER: openssl pkey -inform DER -in KEY -out key.pem" if pem else ""
        raise PrivateKeyError(f"no PEM private key: {_no_label(pem)}{convert}")
    if "ENCRYPTED PRIVATE KEY" in labels or b"Proc-Type: 4,ENCRYPTED" in pem:
        raise PrivateKeyError(
            "private key is encrypted, and pqproxy asks for no passphrase; "
            "decrypt it: openssl pkey -in KEY -out key.pem"
        )
    if "OPENSSH PRIVATE KEY" in labels:
        raise PrivateKeyError(
            "private key is in OpenSSH's format; convert it: ssh-keygen -p -m PKCS8 -f KEY"
        )
    if not any(label.endswith("PRIVATE KEY") for label in labels):
        raise PrivateKeyError(f"no private key here, only: {', '.join(labels).lower()}")


def _no_label(pem: bytes) -> str:
    return "there is no line -----BEGIN … KEY-----" if pem else "the file is empty"


def _read_with_library(pem: bytes, checked: bool) -> object | None:
    # None, so that no later error is chained to one whose message we did not write.
    try:
        return serialization.load_pem_private_key(
            pem, password=None, unsafe_skip_rsa_key_validation=checked
        )
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None


def _read_pkcs8_body(pem: bytes) -> object | None:
    body = _PKCS8_BODY.search(pem)
    if body is None:
        return None
    try:
        der = binascii.a2b_base64(body[1])
    except binascii.Error:
        return None
    return read_pkcs8(der)


def _describe(key: object) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        exponent = " with a long exponent" if has_long_exponent(key) else ""
        return f"an RSA key of {key.key_size} bits{exponent}"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"an EC key on {key.curve.name}"
    kind = type(key).__name__.removesuffix("PrivateKey")
    return f"a private key of kind {kind}"
