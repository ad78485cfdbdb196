"""What lies in a directory of certificates, for people and for scripts."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import read
from pqproxy.identity.leaves import file_algorithm
from pqproxy.identity.names import MALFORMED, issuer_of, printable, read_names, subject_of
from pqproxy.identity.pem import read_certificates

_PRIVATE_KEY = b"PRIVATE KEY-----"  # a bundle holds it beside the certificates


@dataclass(frozen=True, slots=True)
class Listed:
    """One certificate of a file. The field names are those of the JSON output."""

    file: str
    kind: str  # authority | leaf
    algorithm: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: str
    not_after: str
    days_left: int  # negative: expired
    serial: str
    sha256: str
    key: str  # present | absent | exposed: others than its owner may read it


def list_directory(directory: Path, now: datetime) -> tuple[Listed, ...]:
    """Describe every authority and leaf of a directory. Raises IdentityError for one without."""
    paths = (*sorted(directory.glob("ca/*/ca.crt")), *sorted(directory.glob("leaf/*/*.crt")))
    if not paths:
        raise IdentityError(
            f"there are no certificates in {directory}",
            f"make an authority: pqproxy certs init --dir {directory}",
        )
    return tuple(listed for path in paths for listed in list_file(path, now))


def list_file(path: Path, now: datetime) -> tuple[Listed, ...]:
    """Describe every certificate of a PEM file. Raises IdentityError when one does not parse."""
    text = read(path)
    bundled = _PRIVATE_KEY in text
    certificates = read_certificates(text, str(path))
    try:
        return tuple(_describe(path, certificate, bundled, now) for certificate in certificates)
    except MALFORMED as error:
        raise IdentityError(f"{path}: a certificate does not parse: {error}") from None


def _describe(path: Path, certificate: x509.Certificate, bundled: bool, now: datetime) -> Listed:
    is_authority = _is_authority(certificate)
    key_file = path if bundled and not is_authority else path.with_suffix(".key")
    names = read_names(certificate)
    every_name = (*names.uris, *names.dns_names, *names.ip_addresses)
    return Listed(
        file=str(path),
        kind="authority" if is_authority else "leaf",
        algorithm=file_algorithm(certificate_key(certificate)),
        subject=subject_of(certificate),
        issuer=issuer_of(certificate),
        names=tuple(map(printable, every_name)),
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        days_left=(certificate.not_valid_after_utc - now).days,
        serial=f"{certificate.serial_number:x}",
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        key=_key_state(key_file),
    )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _key_state(path: Path) -> str:
    try:
        return "exposed" if path.stat().st_mode & 0o077 else "present"
    except OSError:
        return "absent"
