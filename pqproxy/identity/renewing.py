"""New certificates for leaves that lie in a directory, before the old ones end.

All leaves of a name change at one moment, and each certificate with its key: see `generations`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.keys import encode_private_key
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.authority import Authority, certify, open_issuer
from pqproxy.identity.certificates import ALGORITHMS, CLOCK_SKEW, Validity
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.generations import replace_together
from pqproxy.identity.leaves import Leaf, certified_names, leaf_directory, read_key
from pqproxy.identity.pem import encode

# A fleet whose certificates were made in one minute renews them over a thirtieth of their life.
_SPREAD = 1 / 30
_STEPS = 1024


@dataclass(frozen=True, slots=True)
class RenewalOptions:
    """How leaves are renewed."""

    days: int | None = None  # None: as long as the certificate before
    keep_key: bool = False
    passphrase: bytes | None = field(default=None, repr=False)  # of the authority's key
    key_passphrase: bytes | None = field(default=None, repr=False)  # of the leaf's, old and new


NEW_KEY = RenewalOptions()


def renewal_due(certificate: x509.Certificate) -> datetime:
    """When a certificate should be renewed: after two thirds of its life, and a little.

    The little is drawn from its serial number, which is random: it stays the same after a restart.
    """
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return two_thirds(certificate) + lifetime * (
        certificate.serial_number % _STEPS / _STEPS * _SPREAD
    )


def two_thirds(certificate: x509.Certificate) -> datetime:
    """When a certificate has a third of its life left."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begins + (ends - begins) * 2 / 3


def renew(
    directory: Path,
    leaves: Sequence[Leaf],
    *,
    now: datetime,
    options: RenewalOptions = RenewalOptions(),
) -> tuple[x509.Certificate, ...]:
    """Replace leaves of one name by new ones with the same names, and their keys by new keys.

    All of them or, with an IdentityError, none.
    """
    files: dict[str, bytes] = {}
    made = []
    for leaf in leaves:
        key = _key(leaf, options)
        issuer = open_issuer(
            directory, leaf.certificate, leaf.files.certificate, options.passphrase
        )
        certificate = _certify(leaf, key, issuer, now, options)
        made.append(certificate)
        files[leaf.files.certificate.name] = encode(certificate)
        files[leaf.files.key.name] = encode_private_key(key, options.key_passphrase)
    replace_together(leaf_directory(directory, leaves[0].name), files, now)
    return tuple(made)


def _certify(
    leaf: Leaf, key: PrivateKey, issuer: Authority, now: datetime, options: RenewalOptions
) -> x509.Certificate:
    validity = _validity(leaf.certificate, now, options)
    made = certify(issuer, key.public_key(), leaf.name, certified_names(leaf), validity)
    ends = issuer.certificate.not_valid_after_utc
    if leaf.certificate.not_valid_after_utc >= made.not_valid_after_utc == ends:
        raise IdentityError(
            f"{leaf.files.certificate} ends with its authority, on {ends:%Y-%m-%d}: a new one would"
            " end no later",
            "make a new authority in another directory, and a bundle of both roots"
            " (pqproxy certs bundle) for the peers",
        )
    return made


def _validity(before: x509.Certificate, now: datetime, options: RenewalOptions) -> Validity:
    if options.days is not None:
        return Validity.starting(now, options.days)
    lived = before.not_valid_after_utc - before.not_valid_before_utc
    return Validity.lasting(now, max(lived - CLOCK_SKEW, timedelta(days=1)))


def _key(leaf: Leaf, options: RenewalOptions) -> PrivateKey:
    path = leaf.files.key
    if not path.exists():
        raise IdentityError(
            f"there is no {path}: the key of {leaf.name} is on another machine",
            f"make a request there (pqproxy certs csr {leaf.name} --keep-key), and sign it here"
            " with pqproxy certs sign --renew",
        )
    before = read_key(path, options.key_passphrase)
    if before.public_key() != certificate_key(leaf.certificate):
        raise IdentityError(
            f"{path} does not belong to {leaf.files.certificate}",
            "put back the key that the certificate was issued for",
        )
    if options.keep_key:
        return before
    if leaf.algorithm not in ALGORITHMS:
        raise IdentityError(
            f"{path}: keys of the kind {leaf.algorithm} are not made here",
            "keep the key with --keep-key, or put a new pair in its place yourself",
        )
    return ALGORITHMS[leaf.algorithm]()
