"""Private keys from PEM, and the words we have for kinds of keys.

A key that cannot be used is the mistake of a person who then has to convert it: each error says
what was found and what to type. No error holds a byte of the key.
"""

from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.errors import PrivateKeyError

UNSUPPORTED = "unsupported"
RSA_SIZES = range(2048, 4096 + 1)

_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
_ML_DSA: tuple[tuple[str, type, type], ...] = (
    ("mldsa44", mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey),
    ("mldsa65", mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey),
    ("mldsa87", mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey),
)


def key_algorithm(key: object) -> str:
    """Name the kind of a key: `ecdsa-p256`, `rsa`, `mldsa65`, …, or `unsupported`."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, UNSUPPORTED)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return "rsa" if key.key_size in RSA_SIZES else UNSUPPORTED
    for name, private, public in _ML_DSA:
        if isinstance(key, private | public):
            return name
    return UNSUPPORTED


def load_private_key(pem: bytes) -> PrivateKey:
    """Read an unencrypted PEM key that pqproxy can use. Raises PrivateKeyError."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise PrivateKeyError("not a private key in PEM") from None
    if key_algorithm(key) == UNSUPPORTED:
        raise PrivateKeyError("unsupported key")
    return cast(PrivateKey, key)
