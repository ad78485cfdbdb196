"""Signature algorithms through `cryptography` (OpenSSL), each one row of a table.

A row fixes everything a TLS SignatureScheme fixes (RFC 9846 §4.3.3): curve, hash, padding, salt
length, and the empty context of ML-DSA (FIPS 204). A key of another kind is refused before its
library sees it, so no scheme can be talked into another one's key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.errors import CryptoError, InvalidSignature
from pqproxy.crypto.keys import key_algorithm

# Any: which of the key types it is, `key_algorithm` has just said.
Sign = Callable[[Any, bytes], bytes]
Verify = Callable[[Any, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class OpenSslSignature:
    """One signature algorithm; `raw_verify` raises cryptography's InvalidSignature."""

    name: str
    key_algorithm: str
    raw_sign: Sign | None  # None: only ever verified
    raw_verify: Verify
    slow: bool = False

    @property
    def provider(self) -> str:
        """The library that verifies."""
        return "openssl"

    @property
    def signing_provider(self) -> str:
        """The library that signs."""
        return "openssl"

    def sign(self, private_key: PrivateKey, message: bytes) -> bytes:
        """Sign. Raises CryptoError when the key does not fit or the algorithm only verifies."""
        if self.raw_sign is None:
            raise CryptoError(f"{self.name} is for verification only")
        if (found := key_algorithm(private_key)) != self.key_algorithm:
            raise CryptoError(f"{self.name} needs a key of {self.key_algorithm}, got {found}")
        return self.raw_sign(private_key, message)

    def verify(self, public_key: PublicKey, signature: bytes, message: bytes) -> None:
        """Raise InvalidSignature unless the signature is good."""
        if (found := key_algorithm(public_key)) != self.key_algorithm:
            raise InvalidSignature(f"{self.name} needs a key of {self.key_algorithm}, got {found}")
        try:
            self.raw_verify(public_key, signature, message)
        except exceptions.InvalidSignature:
            raise InvalidSignature(f"{self.name} signature does not verify") from None


def _ecdsa(curve: str, hash_algorithm: hashes.HashAlgorithm) -> OpenSslSignature:
    parameters = ec.ECDSA(hash_algorithm)
    return OpenSslSignature(
        name=f"ECDSA-{curve.upper()}-{_hash_name(hash_algorithm)}",
        key_algorithm=f"ecdsa-{curve}",
        raw_sign=lambda key, message: key.sign(message, parameters),
        raw_verify=lambda key, signature, message: key.verify(signature, message, parameters),
    )


def _rsa_pss(hash_algorithm: hashes.HashAlgorithm) -> OpenSslSignature:
    # §4.3.3: the salt is as long as the digest, in both directions.
    pss = padding.PSS(padding.MGF1(hash_algorithm), padding.PSS.DIGEST_LENGTH)
    return OpenSslSignature(
        name=f"RSA-PSS-{_hash_name(hash_algorithm)}",
        key_algorithm="rsa",
        raw_sign=lambda key, message: key.sign(message, pss, hash_algorithm),
        raw_verify=lambda key, signed, message: key.verify(signed, message, pss, hash_algorithm),
    )


def _rsa_pkcs1(hash_algorithm: hashes.HashAlgorithm) -> OpenSslSignature:
    # §4.3.3: only in certificates, never in a CertificateVerify, so we never make one.
    pkcs1 = padding.PKCS1v15()
    return OpenSslSignature(
        name=f"RSA-PKCS1-{_hash_name(hash_algorithm)}",
        key_algorithm="rsa",
        raw_sign=None,
        raw_verify=lambda key, signed, message: key.verify(signed, message, pkcs1, hash_algorithm),
    )


def _ml_dsa(parameter_set: int) -> OpenSslSignature:
    return OpenSslSignature(
        name=f"ML-DSA-{parameter_set}",
        key_algorithm=f"mldsa{parameter_set}",
        raw_sign=lambda key, message: key.sign(message),
        raw_verify=lambda key, signature, message: key.verify(signature, message),
        slow=True,  # rejection sampling: 0.8 ms in the middle, 3 ms in the tail
    )


def _hash_name(hash_algorithm: hashes.HashAlgorithm) -> str:
    return hash_algorithm.name.upper()


SIGNATURES: tuple[OpenSslSignature, ...] = (
    _ecdsa("p256", hashes.SHA256()),
    _ecdsa("p384", hashes.SHA384()),
    _rsa_pss(hashes.SHA256()),
    _rsa_pss(hashes.SHA384()),
    _rsa_pkcs1(hashes.SHA256()),
    _rsa_pkcs1(hashes.SHA384()),
    _rsa_pkcs1(hashes.SHA512()),
    _ml_dsa(44),
    _ml_dsa(65),
    _ml_dsa(87),
)
