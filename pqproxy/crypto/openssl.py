"""The default provider: OpenSSL, as `cryptography` ships it.

Nothing above sees that library's exceptions: what a peer can cause becomes InvalidInput.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives.asymmetric import mlkem

from pqproxy.crypto.algorithms import Encapsulation, Kem, Provider, SignatureAlgorithm
from pqproxy.crypto.composite import composite_signatures, verify_by_openssl
from pqproxy.crypto.mlkem import ML_KEM_768, ML_KEM_1024, MlKem, ParameterSet
from pqproxy.crypto.signatures import SIGNATURES

_LibraryPrivateKey = mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey
_LibraryPublicKey = mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey


@dataclass(frozen=True, slots=True, eq=False)
class OpenSslDecapsulationKey:
    """An ML-KEM private key inside OpenSSL."""

    parameters: ParameterSet
    encapsulation_key: bytes
    _key: _LibraryPrivateKey = field(repr=False)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret."""
        self.parameters.check_ciphertext(ciphertext)
        return self._key.decapsulate(ciphertext)


@dataclass(frozen=True, slots=True)
class OpenSslMlKem(MlKem):
    """One parameter set of ML-KEM, computed by OpenSSL."""

    _from_seed: Callable[[bytes], _LibraryPrivateKey] = field(repr=False)
    _from_public_bytes: Callable[[bytes], _LibraryPublicKey] = field(repr=False)

    @property
    def provider(self) -> str:
        """The library that computes."""
        return "openssl"

    def generate(self, seed: bytes) -> OpenSslDecapsulationKey:
        """Make the key pair of a seed."""
        self.parameters.check_seed(seed)
        key = self._from_seed(seed)
        return OpenSslDecapsulationKey(self.parameters, key.public_key().public_bytes_raw(), key)

    def encapsulate(self, encapsulation_key: bytes) -> Encapsulation:
        """Make a secret for the holder of the key, which is checked first (FIPS 203 §7.2)."""
        self.parameters.check_encapsulation_key_length(encapsulation_key)
        try:
            key = self._from_public_bytes(encapsulation_key)
        except ValueError:
            # The length is right, so the library's modulus check failed, although its message
            # speaks of the length.
            raise self.parameters.modulus_refusal() from None
        shared_secret, ciphertext = key.encapsulate()
        return Encapsulation(ciphertext, shared_secret)


KEMS: tuple[OpenSslMlKem, ...] = (
    OpenSslMlKem(
        ML_KEM_768,
        mlkem.MLKEM768PrivateKey.from_seed_bytes,
        mlkem.MLKEM768PublicKey.from_public_bytes,
    ),
    OpenSslMlKem(
        ML_KEM_1024,
        mlkem.MLKEM1024PrivateKey.from_seed_bytes,
        mlkem.MLKEM1024PublicKey.from_public_bytes,
    ),
)


def openssl_provider() -> Provider:
    """Every algorithm we know, from OpenSSL alone."""
    kems: dict[str, Kem] = {each.name: each for each in KEMS}
    signatures: dict[str, SignatureAlgorithm] = {each.name: each for each in SIGNATURES}
    signatures |= composite_signatures(verify_by_openssl, "openssl")
    return Provider("openssl", MappingProxyType(kems), MappingProxyType(signatures))


def openssl_version() -> str:
    """The OpenSSL inside `cryptography`, as it names itself."""
    return backend.openssl_version_text()
