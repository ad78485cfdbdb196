"""What every provider looks like from above: KEMs and signatures by their standard names.

The protocols and the values they exchange, nothing that computes. An engine is given a `Provider`
and never learns which library answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

from pqproxy.crypto.composite_keys import CompositePrivateKey, CompositePublicKey
from pqproxy.crypto.expanded_keys import ExpandedPrivateKey

PrivateKey = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
    | CompositePrivateKey
    | ExpandedPrivateKey
)
PublicKey = (
    ec.EllipticCurvePublicKey
    | rsa.RSAPublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
    | CompositePublicKey
)


# No __eq__: it would compare the secret in variable time.
@dataclass(frozen=True, slots=True, eq=False)
class Encapsulation:
    """What an encapsulation yields: the ciphertext for the peer, and the secret both now share."""

    ciphertext: bytes
    shared_secret: bytes = field(repr=False)


class DecapsulationKey(Protocol):
    """The private half of one key exchange. Used once, then dropped."""

    @property
    def encapsulation_key(self) -> bytes:
        """The public half, as it goes on the wire."""

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret; a forged ciphertext gives a secret nobody else knows.

        Raises InvalidInput when the ciphertext has the wrong length.
        """


class Kem(Protocol):
    """A key encapsulation mechanism (FIPS 203)."""

    @property
    def name(self) -> str:
        """The standard's name: `ML-KEM-768`."""

    @property
    def provider(self) -> str:
        """The library that computes: `openssl` or `liboqs`."""

    @property
    def encapsulation_key_length(self) -> int:
        """Bytes of the public half."""

    @property
    def ciphertext_length(self) -> int:
        """Bytes of a ciphertext."""

    def generate(self, seed: bytes) -> DecapsulationKey:
        """Make the key pair that belongs to 64 secret random bytes, d || z."""

    def encapsulate(self, encapsulation_key: bytes) -> Encapsulation:
        """Make a secret for the holder of the key.

        Raises InvalidInput for a wrong length and for a key that fails FIPS 203 §7.2.
        """


class SignatureAlgorithm(Protocol):
    """A signature algorithm with every parameter fixed, as a TLS SignatureScheme fixes them."""

    @property
    def name(self) -> str:
        """`ECDSA-P256-SHA256`, `ML-DSA-65`, `MLDSA65-ECDSA-P256-SHA512`, …"""

    @property
    def provider(self) -> str:
        """The library that verifies: `openssl` or `liboqs`."""

    @property
    def signing_provider(self) -> str:
        """The library that signs; it differs where the other cannot take our private keys.

        An `ExpandedPrivateKey` is signed with by liboqs in any case.
        """

    @property
    def key_algorithm(self) -> str:
        """Which keys it fits, in the words of `key_algorithm()`."""

    @property
    def slow(self) -> bool:
        """Signing may take over half a millisecond: keep it off the event loop."""

    def sign(self, private_key: PrivateKey, message: bytes) -> bytes:
        """Sign. Raises CryptoError when the key does not fit or the algorithm only verifies."""

    def verify(self, public_key: PublicKey, signature: bytes, message: bytes) -> None:
        """Return when the signature is good.

        Raises InvalidSignature otherwise, also when the key does not fit the algorithm.
        """


@dataclass(frozen=True, slots=True)
class Provider:
    """What an engine is given: every algorithm it may use, by name."""

    name: str  # the operator's choice: openssl, liboqs or auto
    kems: Mapping[str, Kem]
    signatures: Mapping[str, SignatureAlgorithm]
