"""Composite signatures: ML-DSA and a traditional algorithm, and both must verify.

draft-ietf-lamps-pq-composite-sigs-19, §3.2 and §3.3. Both halves sign

    M' = Prefix ‖ Label ‖ len(ctx) ‖ ctx ‖ PH(M)

and ML-DSA does so under the label as its own context: neither half of a composite signature is a
signature of anything by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from cryptography import exceptions

from pqproxy.crypto.algorithms import PrivateKey, PublicKey, SignatureAlgorithm
from pqproxy.crypto.composite_keys import (
    COMPOSITES,
    CompositeAlgorithm,
    CompositePrivateKey,
    CompositePublicKey,
)
from pqproxy.crypto.errors import CryptoError, InvalidHalves, InvalidSignature
from pqproxy.crypto.keys import key_algorithm

_PREFIX = b"CompositeAlgorithmSignatures2025"
MAX_CONTEXT = 255  # bytes

# (public key, signature, message, context) -> whether it verifies
VerifyMlDsa = Callable[[Any, bytes, bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class CompositeSignature:
    """One composite algorithm. OpenSSL computes all of it but, perhaps, the check of ML-DSA."""

    algorithm: CompositeAlgorithm
    verify_ml_dsa: VerifyMlDsa
    provider: str  # of that check
    slow: bool = True  # there is an ML-DSA signature in it

    @property
    def name(self) -> str:
        """The draft's name."""
        return self.algorithm.name

    @property
    def signing_provider(self) -> str:
        """The library that signs."""
        return "openssl"

    @property
    def key_algorithm(self) -> str:
        """Which keys it fits."""
        return self.algorithm.key_algorithm

    def sign(self, private_key: PrivateKey, message: bytes, context: bytes = b"") -> bytes:
        """Sign with both halves: mldsaSig ‖ tradSig. Raises CryptoError when the key is another."""
        if (found := key_algorithm(private_key)) != self.key_algorithm:
            raise CryptoError(f"{self.name} needs a key of {self.key_algorithm}, got {found}")
        key = cast(CompositePrivateKey, private_key)
        signed = self._representative(message, context)
        return key.ml_dsa.sign(signed, self.algorithm.label) + self.algorithm.traditional.sign(
            key.traditional, signed
        )

    def verify(
        self, public_key: PublicKey, signature: bytes, message: bytes, context: bytes = b""
    ) -> None:
        """Raise InvalidSignature unless both halves are good; InvalidHalves names the bad one.

        Both are always computed: the time says nothing of which it was, and the operator learns
        everything at once.
        """
        if (found := key_algorithm(public_key)) != self.key_algorithm:
            raise InvalidSignature(f"{self.name} needs a key of {self.key_algorithm}, got {found}")
        key = cast(CompositePublicKey, public_key)
        first, second = self.algorithm.ml_dsa, self.algorithm.traditional
        cut = first.signature_length
        signed = self._representative(message, context)
        halves = {
            first.name: self.verify_ml_dsa(
                key.ml_dsa, signature[:cut], signed, self.algorithm.label
            ),
            second.name: _verifies(second.verify, key.traditional, signature[cut:], signed),
        }
        if not all(halves.values()):
            raise InvalidHalves(self.name, halves)

    def _representative(self, message: bytes, context: bytes) -> bytes:
        """Return M', which is what both halves sign."""
        if len(context) > MAX_CONTEXT:
            raise CryptoError(f"a context of {len(context)} bytes: at most {MAX_CONTEXT} fit")
        digest = hashlib.new(self.algorithm.pre_hash, message).digest()
        return _PREFIX + self.algorithm.label + bytes([len(context)]) + context + digest


def composite_signatures(
    verify_ml_dsa: VerifyMlDsa, provider: str
) -> dict[str, SignatureAlgorithm]:
    """Every composite algorithm by name, ML-DSA checked by a library of choice."""
    return {each.name: CompositeSignature(each, verify_ml_dsa, provider) for each in COMPOSITES}


def verify_by_openssl(public_key: Any, signature: bytes, message: bytes, context: bytes) -> bool:
    """Whether an ML-DSA signature verifies."""
    return _verifies(public_key.verify, signature, message, context)


def _verifies(verify: Callable[..., None], *arguments: Any) -> bool:
    try:
        verify(*arguments)
    except exceptions.InvalidSignature:
        return False
    return True
