"""Revocation lists (RFC 5280 §5), read with care: a bad list is the operator's mistake.

A list is believed when a root of its trust set signed it, or an authority below one whose
certificate stands beside the list. What is listed is refused; what is not was never asked here. So
lists of one authority add up, and one that is out of date still counts: that newer entries may be
missing is told, and is no reason to believe whoever is on it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from pqproxy.config.values import SERIAL_BYTES, RevocationFile, RevokedSerials
from pqproxy.crypto.composite import CompositeSignature, verify_by_openssl
from pqproxy.crypto.composite_keys import CompositePublicKey
from pqproxy.crypto.errors import InvalidSignature as InvalidComposite
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import MALFORMED, printable, subject_of
from pqproxy.identity.pem import BLOCK, check_whole

# What a worker is sent must stay within a frame of its channel.
MAX_ENTRIES = 500_000

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_EXPORT = "export the list again, whole, as its authority publishes it"


class UnusableRevocationList(IdentityError):
    """A file under `crl` is no list that its trust set may believe."""


@dataclass(frozen=True, slots=True)
class _List:
    where: str
    crl: x509.CertificateRevocationList


def read_revocation_lists(
    files: Sequence[RevocationFile], roots: Iterable[x509.Certificate]
) -> tuple[RevokedSerials, ...]:
    """Verify all lists and boil them down, one result an authority.

    Raises UnusableRevocationList naming the file and what is wrong with it.
    """
    lists: list[_List] = []
    beside: list[tuple[str, x509.Certificate]] = []
    for file in files:
        before = len(lists) + len(beside)
        for where, content in _contents(file):
            if isinstance(content, x509.Certificate):
                beside.append((where, content))
            else:
                lists.append(_List(where, content))
        if len(lists) + len(beside) == before:
            raise UnusableRevocationList(f"{file.source}: holds no revocation list", _EXPORT)
    authorities = [*dict.fromkeys(roots)]
    _admit(beside, authorities)
    if files and not lists:
        raise UnusableRevocationList(f"{files[0].source}: holds certificates only", _EXPORT)
    return tuple(_boiled_down(lists, authorities))


def issuer_digest(name: x509.Name) -> bytes:
    """The name of an issuer in the form in which connections remember it.

    Names that are equal give the same, in whichever string types they are written: nobody is to be
    left out because an authority wrote its name in two ways.
    """
    spelled = [
        sorted((each.oid.dotted_string, repr(each.value)) for each in rdn) for rdn in name.rdns
    ]
    return hashlib.sha256(repr(spelled).encode()).digest()[:16]


def _contents(
    file: RevocationFile,
) -> Iterator[tuple[str, x509.Certificate | x509.CertificateRevocationList]]:
    """Everything in a file, with words for where it stands."""
    blocks = list(BLOCK.finditer(file.content))
    try:
        check_whole(file.content, file.source)
    except IdentityError as error:
        raise UnusableRevocationList(str(error), error.fix) from None
    try:
        if not blocks:
            yield file.source, x509.load_der_x509_crl(file.content)
        for number, block in enumerate(blocks, 1):
            where = f"{file.source}: block {number}" if len(blocks) > 1 else file.source
            if block["label"] in (b"X509 CRL", b"CRL"):
                yield where, x509.load_pem_x509_crl(block[0])
            elif block["label"] in (b"CERTIFICATE", b"X509 CERTIFICATE"):
                yield where, x509.load_pem_x509_certificate(block[0])
    except MALFORMED as error:
        message = f"{file.source}: is not a readable revocation list: {printable(str(error))}"
        raise UnusableRevocationList(message, _EXPORT) from None


def _admit(beside: list[tuple[str, x509.Certificate]], authorities: list[x509.Certificate]) -> None:
    """Add the authorities that stand beside the lists, from the roots downwards."""
    left = [(where, one) for where, one in beside if one not in authorities]
    while left:
        admitted = [
            item for item in left if any(_certified(item[1], issuer) for issuer in authorities)
        ]
        if not admitted:
            where, certificate = left[0]
            raise UnusableRevocationList(
                f"{where}: no root of the set signed {subject_of(certificate)} as an authority",
                "put beside a list only authorities below these roots",
            )
        authorities += [certificate for _, certificate in admitted]
        left = [item for item in left if item not in admitted]


def _certified(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether one authority certified another. Dates are left alone: they end with its leaves."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        key = certificate_key(issuer)
        if not constraints.ca or certificate.issuer != issuer.subject:
            return False
        if isinstance(key, CompositePublicKey):
            signature, signed = certificate.signature, certificate.tbs_certificate_bytes
            return _composite_verifies(key, certificate.signature_algorithm_oid, signature, signed)
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, x509.ExtensionNotFound, *MALFORMED):
        return False
    return True


def _boiled_down(
    lists: list[_List], authorities: list[x509.Certificate]
) -> Iterator[RevokedSerials]:
    by_name: dict[bytes, _Revoked] = {}
    for one in lists:
        try:
            signer = _signer(one, authorities)
            _check_scope(one)
            issuer = issuer_digest(signer.subject)
            known = by_name.setdefault(issuer, _Revoked(subject_of(signer)))
            known.add(one.crl)
        except (OverflowError, *MALFORMED) as error:
            message = f"{one.where}: does not parse: {printable(str(error))}"
            raise UnusableRevocationList(message, _EXPORT) from None
        if sum(len(each.serials) for each in by_name.values()) > MAX_ENTRIES:
            raise UnusableRevocationList(
                f"{one.where}: with it the lists hold more than {MAX_ENTRIES} certificates",
                "leave out what has expired, or give the authorities trust sets of their own",
            )
    for issuer, revoked in by_name.items():
        serials = b"".join(sorted(revoked.serials))
        made = revoked.newest.timestamp()
        yield RevokedSerials(revoked.authority, issuer, serials, revoked.next_update, made)


@dataclass(slots=True)
class _Revoked:
    """What the lists of one authority say together."""

    authority: str
    serials: set[bytes] = field(default_factory=set)
    next_update: float | None = None  # of the newest of them
    newest: datetime = _LONG_AGO  # when that was made

    def add(self, crl: x509.CertificateRevocationList) -> None:
        """Take every serial number. Entries are not looked into: who is listed is out.

        Raises OverflowError for one that is negative or too long, and what MALFORMED lists.
        """
        self.serials |= {entry.serial_number.to_bytes(SERIAL_BYTES, "big") for entry in crl}
        if crl.last_update_utc >= self.newest:
            self.newest, ends = crl.last_update_utc, crl.next_update_utc
            self.next_update = None if ends is None else ends.timestamp()


def _signer(one: _List, authorities: list[x509.Certificate]) -> x509.Certificate:
    """Return who signed a list."""
    issuer = printable(one.crl.issuer.rfc4514_string())
    named = [authority for authority in authorities if authority.subject == one.crl.issuer]
    if not named:
        raise UnusableRevocationList(
            f"{one.where}: is signed by {issuer}, which is no root of the set",
            "put the certificate of that authority beside the list, or take the list away",
        )
    signer = next((authority for authority in named if _signed(one.crl, authority)), None)
    if signer is None:
        raise UnusableRevocationList(
            f"{one.where}: its signature is not by the key of {issuer} in the set",
            "take list and root from the same authority, and a list that is signed over SHA-256 or"
            " better",
        )
    if not _may_sign_lists(signer):
        raise UnusableRevocationList(
            f"{one.where}: {issuer} may not sign revocation lists: it lacks the key usage cRLSign",
            "make the authority with keyUsage=critical,keyCertSign,cRLSign",
        )
    return signer


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = certificate_key(authority)
    if isinstance(key, CompositePublicKey):
        return _composite_verifies(
            key, crl.signature_algorithm_oid, crl.signature, crl.tbs_certlist_bytes
        )
    try:
        return crl.is_signature_valid(key)
    except (TypeError, *MALFORMED):  # signed with another kind of key, or over SHA-1
        return False


def _composite_verifies(
    key: CompositePublicKey, oid: x509.ObjectIdentifier, signature: bytes, signed: bytes
) -> bool:
    if oid != key.algorithm.oid:
        return False
    try:
        CompositeSignature(key.algorithm, verify_by_openssl, "openssl").verify(
            key, signature, signed
        )
    except InvalidComposite:
        return False
    return True


def _may_sign_lists(authority: x509.Certificate) -> bool:
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _check_scope(one: _List) -> None:
    """Refuse what speaks of other certificates than those of its signer, or only of changes."""
    for extension in one.crl.extensions:
        value, what = extension.value, None
        if isinstance(value, x509.DeltaCRLIndicator):
            what = "is a delta list, which only says what changed"
        elif isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl:
                what = "is an indirect list, which speaks for other authorities"
            elif value.only_contains_attribute_certs:
                what = "lists attribute certificates only"
        elif extension.critical:
            what = f"has the unknown critical extension {extension.oid.dotted_string}"
        if what is not None:
            raise UnusableRevocationList(
                f"{one.where}: {what}", "use the complete list that the authority signs itself"
            )
