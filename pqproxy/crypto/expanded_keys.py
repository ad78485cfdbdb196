"""ML-DSA private keys in the expanded form of RFC 9881 §6, without a seed: signed with by liboqs.

`cryptography` takes seeds only. Nothing here computes a public key, so that one of those that were
certified is found by what an expanded key says of its own: the seed of its matrix, and a hash.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cryptography import exceptions

from pqproxy.crypto.composite_halves import MlDsaHalf, MlDsaPublicKey
from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.liboqs_library import isolated

EXPANDED_LENGTHS: Mapping[str, int] = MappingProxyType(
    {"ML-DSA-44": 2560, "ML-DSA-65": 4032, "ML-DSA-87": 4896}  # FIPS 204, table 2
)
# Most damage shows in the first signature; of s2 or t0 it may show in one out of ten or more.
_PROOFS = 8
_PROOF_CONTEXT = b"pqproxy: is this key whole"  # so that it is a signature of nothing


# No __eq__: it would compare the secret in variable time.
@dataclass(frozen=True, slots=True, eq=False)
class ExpandedPrivateKey:
    """An ML-DSA private key of the right length, and the public key that it says is its own."""

    parameters: MlDsaHalf
    certified: MlDsaPublicKey
    _secret_key: bytes = field(repr=False)
    _oqs: Any = field(repr=False)

    @property
    def key_algorithm(self) -> str:
        """`mldsa65`."""
        return f"mldsa{self.parameters.name[-2:]}"

    def public_key(self) -> MlDsaPublicKey:
        """The key that was certified."""
        return self.certified

    def private_bytes_raw(self) -> bytes:
        """The expanded key."""
        return self._secret_key

    def sign(self, message: bytes, context: bytes | None = None) -> bytes:
        """Sign. Raises CryptoError, also for a signature that does not verify.

        Each is verified before it leaves: a key with a damaged part may make good signatures for
        long, and a bad one helps whoever wants the key.
        """
        signature = isolated(self._verified_signature, bytes(message), bytes(context or b""))
        if not signature:
            raise CryptoError(
                f"{self.parameters.name} key in the expanded form is damaged: what it signs does "
                "not verify; export it again from where it was made"
            )
        return signature

    def prove(self) -> None:
        """Raise CryptoError for a key that does not sign what verifies."""
        for _ in range(_PROOFS):
            self.sign(b"", _PROOF_CONTEXT)

    def _verified_signature(self, message: bytes, context: bytes) -> bytes:
        """Return a signature, or nothing instead of a bad one."""
        with self._oqs.Signature(self.parameters.name, self._secret_key) as signer:
            signature: bytes = signer.sign_with_ctx_str(message, context)
        try:
            self.certified.verify(signature, message, context)
        except exceptions.InvalidSignature:
            return b""
        return signature


def find_certified(
    parameters: MlDsaHalf, expanded_key: bytes, certified: Iterable[object]
) -> MlDsaPublicKey | None:
    """Return the public key that an expanded key says is its own, or None if it is not there."""
    for key in certified:
        if isinstance(key, parameters.public_key) and belong_together(
            parameters, expanded_key, key.public_bytes_raw()
        ):
            return key
    return None


def belong_together(parameters: MlDsaHalf, expanded_key: bytes, public_key: bytes) -> bool:
    """Whether an expanded key is of the right length and names that public key.

    It begins with the seed of its matrix, K, and the hash of its public key (FIPS 204,
    algorithm 24).
    """
    expected = public_key[:32] + hashlib.shake_256(public_key).digest(64)
    found = expanded_key[:32] + expanded_key[64:128]
    right_length = len(expanded_key) == EXPANDED_LENGTHS[parameters.name]
    return hmac.compare_digest(expected, found) and right_length
