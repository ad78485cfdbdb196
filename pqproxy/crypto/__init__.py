"""Algorithm providers: KEMs and signatures by their standard names, whoever computes them."""

from pqproxy.crypto.algorithms import (
    DecapsulationKey,
    Encapsulation,
    Kem,
    PrivateKey,
    Provider,
    PublicKey,
    SignatureAlgorithm,
)
from pqproxy.crypto.errors import (
    CryptoError,
    InvalidInput,
    InvalidSignature,
    PrivateKeyError,
    ProviderUnavailable,
)
from pqproxy.crypto.keys import key_algorithm, load_private_key
from pqproxy.crypto.liboqs_library import liboqs_version
from pqproxy.crypto.openssl import openssl_version
from pqproxy.crypto.providers import load_provider

__all__ = [
    "CryptoError",
    "DecapsulationKey",
    "Encapsulation",
    "InvalidInput",
    "InvalidSignature",
    "Kem",
    "PrivateKey",
    "PrivateKeyError",
    "Provider",
    "ProviderUnavailable",
    "PublicKey",
    "SignatureAlgorithm",
    "key_algorithm",
    "liboqs_version",
    "load_private_key",
    "load_provider",
    "openssl_version",
]
