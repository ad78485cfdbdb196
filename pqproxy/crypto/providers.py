"""Turns the operator's word for a provider into one: `openssl`, `liboqs` or `auto`.

`auto` is decided by the table below, not by timing anything at start: two starts of one
installation must not run different code.
"""

from types import MappingProxyType

from pqproxy.crypto.algorithms import Kem, Provider, SignatureAlgorithm
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import ProviderUnavailable
from pqproxy.crypto.liboqs import liboqs_provider
from pqproxy.crypto.openssl import openssl_provider

# Where liboqs is the faster of the two, with microseconds liboqs : OpenSSL (liboqs 0.16 against
# OpenSSL 4.0 through `cryptography` 50, medians of one x86-64 machine with AVX2).
FASTER_BY_LIBOQS = frozenset(
    {
        "ML-KEM-768",  # generate 10 : 97, encapsulate 11 : 35, decapsulate 12 : 29
        "ML-KEM-1024",  # generate 13 : 137, encapsulate 14 : 50, decapsulate 15 : 37
        "ML-DSA-44",  # as the two below; signing is OpenSSL's either way
        "ML-DSA-65",  # verify 28 : 168
        "ML-DSA-87",  # verify 40 : 260
        *(each.name for each in COMPOSITES),  # their ML-DSA halves, likewise
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
    """The faster of the two for each algorithm; where liboqs is not to be had, OpenSSL's."""
    openssl = openssl_provider()
    try:
        liboqs = liboqs_provider()
    except ProviderUnavailable:
        return Provider("auto", openssl.kems, openssl.signatures)
    kems: dict[str, Kem] = {}
    for name in openssl.kems:
        kems[name] = (liboqs if name in FASTER_BY_LIBOQS else openssl).kems[name]
    signatures: dict[str, SignatureAlgorithm] = {}
    for name in openssl.signatures:
        signatures[name] = (liboqs if name in FASTER_BY_LIBOQS else openssl).signatures[name]
    return Provider("auto", MappingProxyType(kems), MappingProxyType(signatures))
