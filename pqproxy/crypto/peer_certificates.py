"""Certificates that peers show: measured, then read, and not again as long as they keep coming.

A handshake looks at its peer's certificate twice, the engine for the key and the trust set for
everything else, and the same few peers come again and again. What is remembered is what a
certificate says; whether it is believed is for the trust set to say (`identity/judgements.py`).
"""

from functools import lru_cache

from cryptography import x509

from pqproxy.crypto.certificate_size import is_too_large

KEPT = 32  # of 64 KB at most, that is what a Certificate message may hold


class TooLarge(Exception):
    """A certificate is larger than any that is meant for this."""


@lru_cache(maxsize=KEPT)
def read_certificate(der: bytes, *, authority: bool) -> x509.Certificate:
    """Read a certificate of a leaf or of an authority above it.

    Raises TooLarge, or what `x509.load_der_x509_certificate` raises; neither is remembered.
    """
    if is_too_large(der, authority=authority):
        raise TooLarge
    return x509.load_der_x509_certificate(der)
