"""An authority of our own: makes roots and leaves, and knows where the roots lie.

    DIR/ca/<algorithm>/ca.{crt,key}

Enough for a fleet of machines: it signs leaves directly and keeps no database; what it revoked
stands in its revocation list (`revoking`). An organisation that has an authority uses that one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.keys import encode_private_key
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity import certificates
from pqproxy.identity.certificates import ALGORITHMS, LeafNames, Validity, preference
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import already_exists, make_directory, read, write_pair
from pqproxy.identity.leaves import LeafFiles, leaf_files, read_key
from pqproxy.identity.names import SpiffeId, issuer_of
from pqproxy.identity.pem import encode, read_certificates
from pqproxy.identity.proofs import certificate_fault
from pqproxy.identity.roots import declared_domain

ROOT_DAYS = 3650
LEAF_DAYS = 365


@dataclass(frozen=True, slots=True)
class Authority:
    """A root with its key."""

    directory: Path  # the DIR of the layout above
    algorithm: str
    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)

    @property
    def path(self) -> Path:
        """Its certificate file."""
        return root_path(self.directory, self.algorithm)

    @property
    def trust_domain(self) -> str | None:
        """The SPIFFE trust domain that it declares, if any."""
        return declared_domain(self.certificate, str(self.path))


@dataclass(frozen=True, slots=True)
class LeafOptions:
    """How leaves are issued."""

    days: int = LEAF_DAYS
    passphrase: bytes | None = field(default=None, repr=False)  # of their keys


def root_path(directory: Path, algorithm: str) -> Path:
    """Return the place of a root's certificate."""
    return directory / "ca" / algorithm / "ca.crt"


def roots(directory: Path) -> tuple[Path, ...]:
    """Return the certificate of every authority of a directory, hybrid ones first."""
    found = directory.glob("ca/*/ca.crt")
    return tuple(sorted(found, key=lambda path: preference(path.parent.name)))


def create_authority(
    directory: Path,
    algorithm: str,
    *,
    now: datetime,
    trust_domain: str | None = None,
    days: int = ROOT_DAYS,
    passphrase: bytes | None = None,
) -> Authority:
    """Make a root, its key under a passphrase where one is given.

    Raises IdentityError when one of that algorithm is there already.
    """
    check_algorithm(algorithm)
    validity = Validity.starting(now, days)
    private_key = ALGORITHMS[algorithm]()
    certificate = certificates.build_root(private_key, algorithm, validity, trust_domain)
    authority = Authority(directory, algorithm, certificate, private_key)
    make_directory(authority.path.parent)
    write_pair(
        (authority.path.with_suffix(".key"), encode_private_key(private_key, passphrase)),
        (authority.path, encode(certificate)),
    )
    return authority


def open_authority(directory: Path, algorithm: str, passphrase: bytes | None = None) -> Authority:
    """Load a root and its key. Raises IdentityError when it is not there or not readable."""
    check_algorithm(algorithm)
    path = root_path(directory, algorithm)
    if not path.exists():
        raise IdentityError(
            f"there is no {algorithm} authority in {directory}",
            f"make one: pqproxy certs init --dir {directory} --algorithm {algorithm}",
        )
    certificate = read_certificates(read(path), str(path))[0]
    key_path = path.with_suffix(".key")
    private_key = read_key(key_path, passphrase)
    if private_key.public_key() != certificate_key(certificate):
        raise IdentityError(
            f"{key_path} does not belong to {path}", "put back the key it was made with"
        )
    return Authority(directory, algorithm, certificate, private_key)


def open_authorities(
    directory: Path, algorithm: str | None = None, passphrase: bytes | None = None
) -> tuple[Authority, ...]:
    """Load every authority of a directory, or the one of an algorithm. Raises IdentityError."""
    there = [path.parent.name for path in roots(directory)]
    if algorithm is None and not there:
        raise IdentityError(
            f"there is no authority in {directory}",
            f"make one: pqproxy certs init --dir {directory}",
        )
    wanted = there if algorithm is None else [algorithm]
    return tuple(open_authority(directory, one, passphrase) for one in wanted)


def open_issuer(
    directory: Path, certificate: x509.Certificate, where: Path, passphrase: bytes | None = None
) -> Authority:
    """Load the authority that signed a certificate. Raises IdentityError when it is not here.

    What only names it as its issuer may be anybody's: it is neither renewed nor revoked.
    """
    for path in roots(directory):
        root = read_certificates(read(path), str(path))[0]
        if root.subject != certificate.issuer:
            continue
        if fault := certificate_fault(certificate, root):
            raise IdentityError(
                f"{where} says that {path} signed it, and that is not so: {fault}",
                "put back the certificate that was issued",
            )
        return open_authority(directory, path.parent.name, passphrase)
    raise IdentityError(
        f"{where} was not signed by an authority of {directory}, but by {issuer_of(certificate)}",
        "say where that is: --dir DIR",
    )


def issue(
    authority: Authority, name: str, names: LeafNames, *, now: datetime, days: int = LEAF_DAYS
) -> LeafFiles:
    """Make a leaf and its key. It ends with its authority at the latest.

    Raises IdentityError for names that cannot be issued and for files that exist.
    """
    (files,) = issue_from([authority], name, names, now=now, options=LeafOptions(days))
    return files


def issue_from(
    authorities: Iterable[Authority],
    name: str,
    names: LeafNames,
    *,
    now: datetime,
    options: LeafOptions,
) -> tuple[LeafFiles, ...]:
    """Make a leaf and its key from each authority: all of them, or none is written."""
    made = []
    validity = Validity.starting(now, options.days)
    for authority in authorities:
        files = leaf_files(authority.directory, name, authority.algorithm)
        for path in (files.key, files.certificate):
            if path.exists() or path.is_symlink():
                raise already_exists(path)
        key = ALGORITHMS[authority.algorithm]()
        leaf = certify(authority, key.public_key(), name, names, validity)
        made.append((files, key, leaf))
    for files, key, leaf in made:
        make_directory(files.certificate.parent)
        key_pem = encode_private_key(key, options.passphrase)
        write_pair((files.key, key_pem), (files.certificate, encode(leaf)))
    return tuple(files for files, _, _ in made)


def certify(
    authority: Authority, key: PublicKey, name: str, names: LeafNames, validity: Validity
) -> x509.Certificate:
    """Sign a leaf. Raises IdentityError for names that it may not have, and by an expired root."""
    _check_domain(authority, names)
    if authority.certificate.not_valid_after_utc <= validity.made:
        raise IdentityError(
            f"the authority {authority.path} has expired",
            "move its directory away and make a new one with pqproxy certs init",
        )
    issuer = certificates.Issuer(authority.certificate, authority.private_key)
    try:
        return certificates.build_leaf(key, name, names, validity, issuer)
    except CryptoError as error:
        raise IdentityError(f"{authority.path}: {error}") from None


def check_algorithm(algorithm: str) -> None:
    """Raise IdentityError for what is no algorithm of certificates."""
    if algorithm not in ALGORITHMS:
        raise IdentityError(
            f"{algorithm!r} is not an algorithm for certificates",
            f"choose one of {', '.join(ALGORITHMS)}",
        )


def only_domain(directory: Path) -> str | None:
    """Return the trust domain that the authorities of a directory declare, if it is one."""
    declared = _declared_domains(directory) - {None}
    return declared.pop() if len(declared) == 1 else None


def _check_domain(authority: Authority, names: LeafNames) -> None:
    """Refuse an ID that peers would refuse later: see `trust` for the rule."""
    own = authority.trust_domain
    for text in names.spiffe:
        wanted = SpiffeId.parse(text).trust_domain
        if own is not None and wanted != own:
            raise IdentityError(
                f"{authority.path} signs for the trust domain {own}, and {text} is in another",
                f"use an ID that starts with spiffe://{own}/",
            )
        if own is None and wanted in _declared_domains(authority.directory):
            raise IdentityError(
                f"{authority.path} declares no trust domain, and another root here declares"
                f" {wanted}: peers that trust both would refuse {text}",
                "move this authority away and make it again with"
                f" pqproxy certs init --algorithm {authority.algorithm} --trust-domain {wanted}",
            )


def _declared_domains(directory: Path) -> set[str | None]:
    return {
        declared_domain(certificate, str(path))
        for path in roots(directory)
        for certificate in read_certificates(read(path), str(path))
    }
