"""Composite keys: an ML-DSA key and a traditional one that are only ever used together.

draft-ietf-lamps-pq-composite-sigs-19: §4 says how the two halves lie side by side, §6 names the
algorithms. Nothing here signs: see `composite`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ObjectIdentifier

from pqproxy.crypto.composite_halves import (
    ED25519,
    ML_DSA_44,
    ML_DSA_65,
    ML_DSA_87,
    P256,
    P384,
    EcHalf,
    Ed25519Half,
    MlDsaHalf,
    MlDsaPrivateKey,
    MlDsaPublicKey,
    TraditionalPrivateKey,
    TraditionalPublicKey,
)
from pqproxy.crypto.errors import InvalidInput, PrivateKeyError

SEED_LENGTH = 32  # of an ML-DSA private key


@dataclass(frozen=True, slots=True)
class CompositeAlgorithm:
    """One pair of halves, and all that its signatures fix (§6)."""

    name: str  # as in the draft, without `id-`
    key_algorithm: str  # what `key_algorithm` calls its keys, and people type
    oid: ObjectIdentifier
    ml_dsa: MlDsaHalf
    traditional: EcHalf | Ed25519Half
    pre_hash: str  # as hashlib names it

    @property
    def label(self) -> bytes:
        """What tells this algorithm's signatures from those of any other (§6)."""
        return b"COMPSIG-" + self.name.encode("ascii")

    def generate(self) -> CompositePrivateKey:
        """Make a key pair, each half afresh: halves are never shared with another key (§9.3)."""
        return CompositePrivateKey(
            self, self.ml_dsa.private_key.generate(), self.traditional.generate()
        )

    def read_public_key(self, raw: bytes) -> CompositePublicKey:
        """Read mldsaPK ‖ tradPK. Raises InvalidInput."""
        first, second = raw[: self.ml_dsa.public_key_length], raw[self.ml_dsa.public_key_length :]
        try:
            return CompositePublicKey(
                self,
                self.ml_dsa.public_key.from_public_bytes(first),
                self.traditional.read_public_key(second),
            )
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidInput(f"a {self.name} public key does not parse") from None

    def read_private_key(self, raw: bytes) -> CompositePrivateKey:
        """Read mldsaSeed ‖ tradSK. Raises PrivateKeyError, which holds nothing of the key."""
        try:
            return CompositePrivateKey(
                self,
                self.ml_dsa.private_key.from_seed_bytes(raw[:SEED_LENGTH]),
                self.traditional.read_private_key(raw[SEED_LENGTH:]),
            )
        except (ValueError, UnsupportedAlgorithm):
            pass
        # Outside the handler: nobody promises that the library's message holds no part of the key.
        raise PrivateKeyError(f"the {self.name} private key is damaged")


@dataclass(frozen=True, slots=True)
class CompositePublicKey:
    """Both public halves."""

    algorithm: CompositeAlgorithm
    ml_dsa: MlDsaPublicKey
    traditional: TraditionalPublicKey

    def public_bytes_raw(self) -> bytes:
        """Return mldsaPK ‖ tradPK (§4.1)."""
        return self.ml_dsa.public_bytes_raw() + self.algorithm.traditional.public_bytes(
            self.traditional
        )


# No __eq__: it would compare secrets in variable time.
@dataclass(frozen=True, slots=True, eq=False)
class CompositePrivateKey:
    """Both private halves."""

    algorithm: CompositeAlgorithm
    ml_dsa: MlDsaPrivateKey = field(repr=False)
    traditional: TraditionalPrivateKey = field(repr=False)

    def public_key(self) -> CompositePublicKey:
        """Both public halves."""
        return CompositePublicKey(
            self.algorithm, self.ml_dsa.public_key(), self.traditional.public_key()
        )

    def private_bytes_raw(self) -> bytes:
        """Return mldsaSeed ‖ tradSK (§4.2)."""
        return self.ml_dsa.private_bytes_raw() + self.algorithm.traditional.private_bytes(
            self.traditional
        )


def _algorithm(
    name: str, arc: int, ml_dsa: MlDsaHalf, traditional: EcHalf | Ed25519Half
) -> CompositeAlgorithm:
    *halves, pre_hash = name.lower().split("-")
    return CompositeAlgorithm(
        name,
        "-".join(halves),
        ObjectIdentifier(f"1.3.6.1.5.5.7.6.{arc}"),
        ml_dsa,
        traditional,
        pre_hash,
    )


COMPOSITES: tuple[CompositeAlgorithm, ...] = (
    _algorithm("MLDSA65-ECDSA-P256-SHA512", 45, ML_DSA_65, P256),
    _algorithm("MLDSA87-ECDSA-P384-SHA512", 49, ML_DSA_87, P384),
    _algorithm("MLDSA65-Ed25519-SHA512", 48, ML_DSA_65, ED25519),
    _algorithm("MLDSA44-ECDSA-P256-SHA256", 40, ML_DSA_44, P256),
)
COMPOSITE_BY_OID = {each.oid: each for each in COMPOSITES}
