"""What lies in a directory of certificates, for people and for scripts."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.crypto.algorithms import PublicKey
from pqproxy.crypto.errors import CryptoError, MismatchedKeyError
from pqproxy.crypto.expanded_keys import ExpandedPrivateKey
from pqproxy.crypto.keys import load_private_key
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import read
from pqproxy.identity.leaves import file_algorithm
from pqproxy.identity.names import MALFORMED, issuer_of, printable, read_names, subject_of
from pqproxy.identity.pem import BLOCK, holds_private_key, read_certificates
from pqproxy.identity.proofs import revocation_list_fault
from pqproxy.identity.requests import holds_request, read_requests
from pqproxy.identity.revoking import entry_reason, list_number

_LIST_LABELS = (b"X509 CRL", b"CRL")


# The names of all these fields are those of the JSON output.
@dataclass(frozen=True, slots=True)
class Listed:
    """One certificate of a file."""

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
    # present | expanded (an ML-DSA key without its seed) | encrypted | absent, and what is wrong:
    # exposed (others than its owner may read it), mismatched (it is another certificate's),
    # unusable
    key: str
    revoked: bool = False  # by a list that lies in the same directory


@dataclass(frozen=True, slots=True)
class ListedRequest:
    """One request of a file; its maker proved to have the key."""

    file: str
    kind: str  # request
    algorithm: str
    names: tuple[str, ...]
    not_taken: tuple[str, ...]  # what it asks for beside them, which nobody certifies


@dataclass(frozen=True, slots=True)
class ListedRevocation:
    """One entry of a revocation list."""

    serial: str
    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class ListedRevocations:
    """A revocation list."""

    file: str
    kind: str  # revocation list
    issuer: str
    number: int
    this_update: str
    next_update: str | None
    days_left: int | None  # negative: out of date
    signature: str  # good | bad, by the authority beside it; unchecked: there is none
    revoked: tuple[ListedRevocation, ...]


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key without a certificate: its request is on its way."""

    file: str
    kind: str  # key
    key: str  # as above


Entry = Listed | ListedRequest | ListedRevocations | ListedKey


def list_directory(directory: Path, now: datetime) -> tuple[Entry, ...]:
    """Describe all that is in a directory. Raises IdentityError for one without certificates."""
    patterns = ("ca/*/ca.crt", "ca/*/ca.crl", "leaf/*/*.crt")
    paths = [path for pattern in patterns for path in sorted(directory.glob(pattern))]
    waiting = [
        ListedKey(str(path), "key", _key_state(path))
        for path in sorted(directory.glob("leaf/*/*.key"))
        if not path.with_suffix(".crt").exists()
    ]
    if not paths and not waiting:
        raise IdentityError(
            f"there are no certificates in {directory}",
            f"make an authority: pqproxy certs init --dir {directory}",
        )
    listed = [one for path in paths for one in list_file(path, now)]
    revoked = {
        (one.issuer, entry.serial)
        for one in listed
        if isinstance(one, ListedRevocations)
        for entry in one.revoked
    }
    marked = (
        replace(one, revoked=True)
        if isinstance(one, Listed) and (one.issuer, one.serial) in revoked
        else one
        for one in listed
    )
    return (*marked, *waiting)


def list_file(path: Path, now: datetime) -> tuple[Entry, ...]:
    """Describe every certificate of a PEM file, or its requests, or its revocation list.

    Raises IdentityError when one does not parse, or a request is not proved by its key.
    """
    text = read(path)
    try:
        if holds_request(text):
            return tuple(
                ListedRequest(str(path), "request", one.algorithm, one.names.every, one.ignored)
                for one in read_requests(text, str(path))
            )
        labels = {block["label"] for block in BLOCK.finditer(text)}
        if labels and labels.issubset(_LIST_LABELS):
            return (_describe_list(path, x509.load_pem_x509_crl(text), now),)
        bundled = holds_private_key(text)
        certificates = read_certificates(text, str(path))
        return tuple(_describe(path, certificate, bundled, now) for certificate in certificates)
    except MALFORMED as error:
        raise IdentityError(f"{path}: does not parse: {printable(str(error))}") from None


def _describe(path: Path, certificate: x509.Certificate, bundled: bool, now: datetime) -> Listed:
    is_authority = _is_authority(certificate)
    key, beside = certificate_key(certificate), path.with_suffix(".key")
    names = read_names(certificate)
    every_name = (*names.uris, *names.dns_names, *names.ip_addresses)
    return Listed(
        file=str(path),
        kind="authority" if is_authority else "leaf",
        algorithm=file_algorithm(key),
        subject=subject_of(certificate),
        issuer=issuer_of(certificate),
        names=tuple(map(printable, every_name)),
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        days_left=(certificate.not_valid_after_utc - now).days,
        serial=f"{certificate.serial_number:x}",
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        key=_bundled_key(path) if bundled and not is_authority else _key_state(beside, key),
    )


def _describe_list(
    path: Path, revocation_list: x509.CertificateRevocationList, now: datetime
) -> ListedRevocations:
    ends = revocation_list.next_update_utc
    return ListedRevocations(
        file=str(path),
        kind="revocation list",
        issuer=printable(revocation_list.issuer.rfc4514_string()),
        number=list_number(revocation_list),
        this_update=revocation_list.last_update_utc.isoformat(),
        next_update=None if ends is None else ends.isoformat(),
        days_left=None if ends is None else (ends - now).days,
        signature=_list_signature(path.with_suffix(".crt"), revocation_list),
        revoked=tuple(
            ListedRevocation(
                f"{entry.serial_number:x}",
                entry.revocation_date_utc.isoformat(),
                entry_reason(entry),
            )
            for entry in revocation_list
        ),
    )


def _list_signature(root: Path, revocation_list: x509.CertificateRevocationList) -> str:
    if not root.exists():
        return "unchecked"
    key = certificate_key(read_certificates(read(root), str(root))[0])
    return "bad" if revocation_list_fault(revocation_list, key) else "good"


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _bundled_key(path: Path) -> str:
    return "exposed" if path.stat().st_mode & 0o077 else "present"


def _key_state(path: Path, certified: PublicKey | None = None) -> str:
    try:
        if path.stat().st_mode & 0o077:
            return "exposed"
        pem = path.read_bytes()
    except FileNotFoundError:
        return "absent"
    except OSError:
        return "unusable"
    if b"ENCRYPTED" in pem:
        return "encrypted"
    try:
        known = () if certified is None else (certified,)
        own = load_private_key(pem, checked=True, certified=known)
    except MismatchedKeyError:
        return "mismatched"
    except CryptoError:
        return "unusable"
    if certified not in (None, own.public_key()):
        return "mismatched"
    return "expanded" if isinstance(own, ExpandedPrivateKey) else "present"
