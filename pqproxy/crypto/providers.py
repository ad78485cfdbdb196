"""Turns the operator's word for a provider into one: `openssl`, `liboqs` or `auto`.

`auto` is decided by the table below, not by timing anything at start: two starts of one
installation must not run different code.
"""

from types import MappingProxyType

from pqproxy.crypto.algorithms import Kem, Provider, SignatureAlgorithm
from pqproxy.crypto.errors import ProviderUnavailable
from pqproxy.crypto.liboqs import liboqs_provider
from pqproxy.crypto.openssl import openssl_provider

# Who is faster where both can do it; microseconds, liboqs 0.16 against OpenSSL 4.0 through
# `cryptography` 50, medians on one x86-64 machine with AVX2 (`make bench` prints yours).
FASTER = MappingProxyType(
    {
        "ML-KEM-768": "liboqs",  # keygen 10 : 97, encapsulate 11 : 35, decapsulate 12 : 29
        "ML-KEM-1024": "liboqs",  # 13 : 137, 14 : 50, 15 : 37
        "ML-DSA-44": "liboqs",  # verification alone, signing is OpenSSL's in both
        "ML-DSA-65": "liboqs",  # verify 28 : 168
        "ML-DSA-87": "liboqs",  # verify 40 : 260
    }
)


def load_provider(choice: str = "openssl") -> Provider:
    """Return the provider of that name. Raises ProviderUnavailable: what is missing, the fix."""
    if choice == "openssl":
        return openssl_provider()
    if choice == "liboqs":
        return liboqs_provider()
    if choice == "auto":
        return _auto_provider()
    raise ProviderUnavailable(f"no provider {choice!r}; use openssl, liboqs or auto")


def _auto_provider() -> Provider:
    openssl = openssl_provider()
    try:
        liboqs = liboqs_provider()
    except ProviderUnavailable:
        return Provider("auto", openssl.kems, openssl.signatures)
    by_name = {"openssl": openssl, "liboqs": liboqs}
    kems: dict[str, Kem] = {
        name: by_name[FASTER.get(name, "openssl")].kems[name] for name in openssl.kems
    }
    signatures: dict[str, SignatureAlgorithm] = {
        name: by_name[FASTER.get(name, "openssl")].signatures[name] for name in openssl.signatures
    }
    return Provider("auto", MappingProxyType(kems), MappingProxyType(signatures))
