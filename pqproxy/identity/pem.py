"""PEM files of certificates: read block by block, so that an error can name the block."""

import re

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import MALFORMED

BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\r?\n.*?-----END (?P=label)-----", re.DOTALL
)
_BEGIN = b"-----BEGIN "
_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE")


def read_certificates(pem: bytes, source: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a PEM file, in order; blocks of other kinds are left alone.

    Raises IdentityError naming the block that does not parse, or that there is none, or that the
    last one is not whole.
    """
    check_whole(pem, source)
    certificates = []
    for number, block in enumerate(BLOCK.finditer(pem), 1):
        if block["label"] in _CERTIFICATE_LABELS:
            try:
                certificates.append(x509.load_pem_x509_certificate(block[0]))
            except MALFORMED as error:
                message = f"{source}: block {number} is not a readable certificate: {error}"
                raise IdentityError(message, "copy the certificate again, whole") from None
    if not certificates:
        hint = (
            "give a PEM file with -----BEGIN CERTIFICATE----- lines"
            " (from DER: openssl x509 -inform der -in FILE -out FILE.pem)"
        )
        if holds_private_key(pem):
            hint = "it holds a private key: name the file of the certificate here, or add it"
        raise IdentityError(f"{source}: holds no certificate", hint)
    return tuple(certificates)


def check_whole(pem: bytes, source: str) -> None:
    """Refuse a file that ends within a block: somebody is writing it, or a copy was cut off.

    What stands before would be read as all there is: fewer roots, a shorter chain, and nobody
    revoked. Raises IdentityError.
    """
    end = max((block.end() for block in BLOCK.finditer(pem)), default=0)
    lines = pem[end:].split(b"\n")
    begun = any(line.startswith(_BEGIN) for line in lines)
    if begun or (end and lines[-1] and _BEGIN.startswith(lines[-1])):
        raise IdentityError(
            f"{source}: is cut off: a block that begins in it does not end", "copy it again, whole"
        )


def holds_private_key(pem: bytes) -> bool:
    """Whether a PEM file has a block with a private key, encrypted or not."""
    return any(block["label"].endswith(b"PRIVATE KEY") for block in BLOCK.finditer(pem))


def holds_certificate(pem: bytes) -> bool:
    """Whether a PEM file has a block with a certificate, readable or not."""
    return any(block["label"] in _CERTIFICATE_LABELS for block in BLOCK.finditer(pem))


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Whether a certificate names itself as its issuer, as roots do."""
    return certificate.subject == certificate.issuer


def without_roots(certificates: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """Return what a peer is shown: it has roots of its own, or does not believe ours.

    A leaf that signed itself stays where nothing else is left.
    """
    return tuple(c for c in certificates if not is_self_issued(c)) or certificates[:1]


def encode(*certificates: x509.Certificate) -> bytes:
    """Write certificates as PEM."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
