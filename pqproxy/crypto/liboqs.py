"""The provider `liboqs`: ML-KEM, and the verification of ML-DSA, by the native liboqs.

The rest is OpenSSL's, because liboqs has neither ECDSA nor RSA and cannot take an ML-DSA private
key from its seed, the only form `cryptography` hands out: each algorithm says who computes it. A
key without a seed signs by liboqs with any provider: see `expanded_keys`.

An object of liboqs-python is not thread-safe, leaks unless freed and aborts the process when freed
twice. So each lives in one `with` block of one call and is never seen outside of it. What goes in
is always `bytes` of a checked length: a bytearray would end up, whole, in an error message.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pqproxy.crypto.algorithms import (
    Encapsulation,
    Kem,
    PrivateKey,
    Provider,
    PublicKey,
    SignatureAlgorithm,
)
from pqproxy.crypto.composite import composite_signatures
from pqproxy.crypto.errors import InvalidSignature, ProviderUnavailable
from pqproxy.crypto.keys import key_algorithm
from pqproxy.crypto.liboqs_library import isolated, load_liboqs
from pqproxy.crypto.mlkem import PARAMETER_SETS, MlKem, ParameterSet
from pqproxy.crypto.openssl import openssl_provider

ML_DSA_SIGNATURE_LENGTHS: Mapping[str, int] = MappingProxyType(
    {"ML-DSA-44": 2420, "ML-DSA-65": 3309, "ML-DSA-87": 4627}  # FIPS 204, table 2
)


@dataclass(frozen=True, slots=True, eq=False)
class LiboqsDecapsulationKey:
    """An ML-KEM private key, expanded, as liboqs takes it."""

    parameters: ParameterSet
    encapsulation_key: bytes
    _oqs: Any = field(repr=False)
    _secret_key: bytes = field(repr=False)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret."""
        self.parameters.check_ciphertext(ciphertext)
        return isolated(self._decapsulate, bytes(ciphertext))

    def _decapsulate(self, ciphertext: bytes) -> bytes:
        with self._oqs.KeyEncapsulation(self.parameters.name, self._secret_key) as kem:
            shared_secret: bytes = kem.decap_secret(ciphertext)
        return shared_secret


@dataclass(frozen=True, slots=True)
class LiboqsMlKem(MlKem):
    """One parameter set of ML-KEM, computed by liboqs."""

    _oqs: Any = field(repr=False)

    @property
    def provider(self) -> str:
        """The library that computes."""
        return "liboqs"

    def generate(self, seed: bytes) -> LiboqsDecapsulationKey:
        """Make the key pair of a seed."""
        self.parameters.check_seed(seed)
        return isolated(self._generate, bytes(seed))

    def encapsulate(self, encapsulation_key: bytes) -> Encapsulation:
        """Make a secret for the holder of the key, which is checked first (FIPS 203 §7.2)."""
        self.parameters.check_encapsulation_key_length(encapsulation_key)
        # Not every liboqs checks this, and one that does says only that it failed.
        self.parameters.check_modulus(encapsulation_key)
        return isolated(self._encapsulate, bytes(encapsulation_key))

    def _generate(self, seed: bytes) -> LiboqsDecapsulationKey:
        with self._oqs.KeyEncapsulation(self.name) as kem:
            public_key = kem.generate_keypair_seed(seed)
            secret_key = kem.export_secret_key()
        return LiboqsDecapsulationKey(self.parameters, public_key, self._oqs, secret_key)

    def _encapsulate(self, encapsulation_key: bytes) -> Encapsulation:
        with self._oqs.KeyEncapsulation(self.name) as kem:
            ciphertext, shared_secret = kem.encap_secret(encapsulation_key)
        return Encapsulation(ciphertext, shared_secret)


@dataclass(frozen=True, slots=True)
class LiboqsMlDsa:
    """One parameter set of ML-DSA: verified by liboqs, signed by OpenSSL from the seed."""

    openssl: SignatureAlgorithm
    signature_length: int
    _oqs: Any = field(repr=False)

    @property
    def name(self) -> str:
        """The standard's name."""
        return self.openssl.name

    @property
    def provider(self) -> str:
        """The library that verifies."""
        return "liboqs"

    @property
    def signing_provider(self) -> str:
        """The library that signs."""
        return self.openssl.signing_provider

    @property
    def key_algorithm(self) -> str:
        """Which keys it fits."""
        return self.openssl.key_algorithm

    @property
    def slow(self) -> bool:
        """Signing is OpenSSL's."""
        return self.openssl.slow

    def sign(self, private_key: PrivateKey, message: bytes) -> bytes:
        """Sign, through OpenSSL."""
        return self.openssl.sign(private_key, message)

    def verify(self, public_key: PublicKey, signature: bytes, message: bytes) -> None:
        """Raise InvalidSignature unless the signature is good."""
        if (found := key_algorithm(public_key)) != self.key_algorithm:
            raise InvalidSignature(f"{self.name} needs a key of {self.key_algorithm}, got {found}")
        raw_key = public_key.public_bytes_raw()  # type: ignore[union-attr] # it is an ML-DSA key
        if len(signature) != self.signature_length or not isolated(
            self._verifies, raw_key, bytes(signature), bytes(message)
        ):
            raise InvalidSignature(f"{self.name} signature does not verify")

    def _verifies(self, raw_key: bytes, signature: bytes, message: bytes) -> bool:
        with self._oqs.Signature(self.name) as verifier:
            return bool(verifier.verify(message, signature, raw_key))


@dataclass(frozen=True, slots=True)
class LiboqsContextVerifier:
    """The check of the ML-DSA half of a composite signature, which is made under a context."""

    _oqs: Any = field(repr=False)

    def verify(self, public_key: Any, signature: bytes, message: bytes, context: bytes) -> bool:
        """Whether it verifies."""
        name = f"ML-DSA-{key_algorithm(public_key).removeprefix('mldsa')}"
        if len(signature) != ML_DSA_SIGNATURE_LENGTHS[name]:
            return False
        raw_key = public_key.public_bytes_raw()
        return isolated(
            self._verifies, name, raw_key, bytes(signature), bytes(message), bytes(context)
        )

    def _verifies(
        self, name: str, raw_key: bytes, signature: bytes, message: bytes, context: bytes
    ) -> bool:
        with self._oqs.Signature(name) as verifier:
            return bool(verifier.verify_with_ctx_str(message, signature, context, raw_key))


def liboqs_provider() -> Provider:
    """What liboqs can do by liboqs, the rest by OpenSSL. Raises ProviderUnavailable."""
    oqs = load_liboqs()
    openssl = openssl_provider()
    kems: dict[str, Kem] = {each.name: LiboqsMlKem(each, oqs) for each in PARAMETER_SETS}
    _require(kems, oqs.get_enabled_kem_mechanisms())
    signatures: dict[str, SignatureAlgorithm] = dict(openssl.signatures)
    for name, length in ML_DSA_SIGNATURE_LENGTHS.items():
        signatures[name] = LiboqsMlDsa(openssl.signatures[name], length, oqs)
    signatures |= composite_signatures(LiboqsContextVerifier(oqs).verify, "liboqs")
    _require(ML_DSA_SIGNATURE_LENGTHS, oqs.get_enabled_sig_mechanisms())
    return Provider("liboqs", MappingProxyType(kems), MappingProxyType(signatures))


def _require(names: Iterable[str], enabled: Iterable[str]) -> None:
    if missing := sorted(set(names) - set(enabled)):
        raise ProviderUnavailable(
            f"this liboqs was built without {', '.join(missing)}; install a full build"
        )
