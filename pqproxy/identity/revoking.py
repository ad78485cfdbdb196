"""The revocation list of an authority of our own (RFC 5280 §5).

    DIR/ca/<algorithm>/ca.crl

The list is all that is remembered: each new one holds what the one before held, under the next
number, and takes its place by one rename. It is checked before it is signed anew, so that a
damaged or exchanged file never takes back a revocation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.x509_signing import authority_key_identifier, sign_revocation_list
from pqproxy.identity.authority import Authority, roots
from pqproxy.identity.certificates import Validity
from pqproxy.identity.errors import CannotWrite, IdentityError
from pqproxy.identity.files import locked, read, replace
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.pem import read_certificates
from pqproxy.identity.proofs import revocation_list_fault

LIST_DAYS = 30
# As people type it. Those that only authorities of authorities need are left out.
REASONS: dict[str, x509.ReasonFlags] = {
    "unspecified": x509.ReasonFlags.unspecified,
    "key-compromise": x509.ReasonFlags.key_compromise,
    "affiliation-changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation-of-operation": x509.ReasonFlags.cessation_of_operation,
    "privilege-withdrawn": x509.ReasonFlags.privilege_withdrawn,
}


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What was written."""

    path: Path
    number: int
    added: tuple[int, ...]  # serial numbers that were not in it before
    total: int
    next_update: datetime


def list_path(root: Path) -> Path:
    """Return the place of a root's revocation list."""
    return root.with_suffix(".crl")


def revoke(
    authority: Authority,
    serials: Iterable[int] = (),
    reason: str = "unspecified",
    *,
    now: datetime,
    days: int = LIST_DAYS,
) -> RevocationList:
    """Write the next list, with these serial numbers too; without any it is only newer.

    What is revoked stays as it was revoked first. Raises IdentityError when the list that is there
    is not this authority's, or cannot be replaced.
    """
    validity = Validity.starting(now, days)
    path = list_path(authority.path)
    try:
        with locked(path.parent):
            before = read_list(authority)
            entries = {entry.serial_number: entry for entry in before or ()}
            added = tuple(serial for serial in dict.fromkeys(serials) if serial not in entries)
            entries |= {serial: _entry(serial, reason, now) for serial in added}
            # An empty list is false, and has a number all the same.
            number = (0 if before is None else list_number(before)) + 1
            made = _build(authority, entries.values(), number, validity)
            replace(path, made.public_bytes(Encoding.PEM))
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None
    return RevocationList(path, number, added, len(entries), validity.not_after)


def read_list(authority: Authority) -> x509.CertificateRevocationList | None:
    """Return the list of an authority, or None. Raises IdentityError when it is not its own."""
    path = list_path(authority.path)
    if not path.exists():
        return None
    fix = "put back the list that was there: without it, what was revoked would be valid again"
    try:
        found = x509.load_pem_x509_crl(read(path))
        fault = revocation_list_fault(found, authority.private_key.public_key())
    except MALFORMED as error:
        raise IdentityError(f"{path} does not parse: {error}", fix) from None
    if fault or found.issuer != authority.certificate.subject:
        raise IdentityError(f"{path} is not a list of {authority.path}: {fault or 'issuer'}", fix)
    return found


def is_revoked(directory: Path, certificate: x509.Certificate) -> bool:
    """Say whether a list of this directory names a certificate, as far as it is to be known here.

    The list is taken as it is: at worst a certificate is left alone that was not revoked.
    Raises IdentityError when it does not parse.
    """
    for root in roots(directory):
        path = list_path(root)
        if not path.exists():
            continue
        if read_certificates(read(root), str(root))[0].subject != certificate.issuer:
            continue
        try:
            found = x509.load_pem_x509_crl(read(path))
            if found.get_revoked_certificate_by_serial_number(certificate.serial_number):
                return True
        except MALFORMED as error:
            raise IdentityError(f"{path} does not parse: {error}") from None
    return False


def refresh_due(revocation_list: x509.CertificateRevocationList) -> datetime:
    """When a list should be made anew: after two thirds of its life."""
    begins, ends = revocation_list.last_update_utc, revocation_list.next_update_utc
    return begins if ends is None else begins + (ends - begins) * 2 / 3


def list_number(revocation_list: x509.CertificateRevocationList) -> int:
    """Return the number of a list; 0 for one without."""
    try:
        return revocation_list.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def entry_reason(entry: x509.RevokedCertificate) -> str:
    """Return why a certificate was revoked, as people type it."""
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return "unspecified"
    return next((text for text, reason in REASONS.items() if reason is flag), flag.value)


def _build(
    authority: Authority,
    entries: Iterable[x509.RevokedCertificate],
    number: int,
    validity: Validity,
) -> x509.CertificateRevocationList:
    key = authority.private_key
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(validity.not_before)
        .next_update(validity.not_after)
        .add_extension(authority_key_identifier(key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    try:
        return sign_revocation_list(builder, key)
    except CryptoError as error:
        raise IdentityError(f"{authority.path}: {error}") from None


def _entry(serial: int, reason: str, now: datetime) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
    if reason != "unspecified":  # RFC 5280 §5.3.1: better no reason than that one
        builder = builder.add_extension(x509.CRLReason(REASONS[reason]), critical=False)
    return builder.build()
