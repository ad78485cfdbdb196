"""PEM files of certificates: read block by block, so that an error can name the block.

A bundle is what `certs export` writes: a key, its certificate chain, and the roots that its
peers need, in one file.
"""

import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import MALFORMED

_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\r?\n.*?-----END (?P=label)-----", re.DOTALL
)
_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE")


@dataclass(frozen=True, slots=True)
class Bundle:
    """The parts of one PEM file, each again PEM."""

    key: bytes = field(repr=False)
    certificate: bytes  # the chain, leaf first, without roots
    roots: tuple[bytes, ...]


def read_certificates(pem: bytes, source: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a PEM file, in order; blocks of other kinds are left alone.

    Raises IdentityError naming the block that does not parse, or that there is none.
    """
    certificates = []
    for number, block in enumerate(_BLOCK.finditer(pem), 1):
        if block["label"] in _CERTIFICATE_LABELS:
            try:
                certificates.append(x509.load_pem_x509_certificate(block[0]))
            except MALFORMED as error:
                message = f"{source}: block {number} is not a readable certificate: {error}"
                raise IdentityError(message, "copy the certificate again, whole") from None
    if not certificates:
        raise IdentityError(
            f"{source}: holds no certificate",
            "give a PEM file with -----BEGIN CERTIFICATE----- lines"
            " (from DER: openssl x509 -inform der -in FILE -out FILE.pem)",
        )
    return tuple(certificates)


def holds_private_key(pem: bytes) -> bool:
    """Whether a PEM file has a block with a private key, encrypted or not."""
    return any(block["label"].endswith(b"PRIVATE KEY") for block in _BLOCK.finditer(pem))


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Whether a certificate names itself as its issuer, as roots do."""
    return certificate.subject == certificate.issuer


def encode(*certificates: x509.Certificate) -> bytes:
    """Write certificates as PEM."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def split_bundle(pem: bytes, source: str) -> Bundle:
    """Take a bundle apart. Raises IdentityError where a part is missing."""
    keys = [b[0] for b in _BLOCK.finditer(pem) if b["label"].endswith(b"PRIVATE KEY")]
    certificates = read_certificates(pem, source)
    chain = [c for c in certificates if not is_self_issued(c)]
    roots = [c for c in certificates if is_self_issued(c)]
    fix = "a bundle holds a key, its chain and the roots: pqproxy certs export NAME"
    if len(keys) != 1:
        raise IdentityError(f"{source}: holds {len(keys)} private keys, not one", fix)
    if not chain or not roots:
        missing = "roots" if chain else "certificate of the key"
        raise IdentityError(f"{source}: lacks the {missing}", fix)
    return Bundle(keys[0] + b"\n", encode(*chain), tuple(map(encode, roots)))
