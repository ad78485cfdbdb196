"""An authority of our own: makes roots and leaves, and knows where they lie.

    DIR/ca/<algorithm>/ca.{crt,key}
    DIR/leaf/<name>/<algorithm>.{crt,key}

Enough for a pair of machines or a lab. It signs leaves directly, keeps no database and revokes
nothing; an organisation that has an authority uses that one.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.keys import encode_private_key, load_private_key
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity import certificates
from pqproxy.identity.certificates import ALGORITHMS, DEFAULT_ALGORITHM, LeafNames, Validity
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import KEY_MODE, make_directory, read, write_new, write_pair
from pqproxy.identity.names import SpiffeId
from pqproxy.identity.pem import encode, read_certificates
from pqproxy.identity.roots import declared_domain

ROOT_DAYS = 3650
LEAF_DAYS = 365

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


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
class LeafFiles:
    """Where a leaf and its key lie."""

    certificate: Path
    key: Path


def root_path(directory: Path, algorithm: str) -> Path:
    """Return the place of a root's certificate."""
    return directory / "ca" / algorithm / "ca.crt"


def leaf_files(directory: Path, name: str, algorithm: str) -> LeafFiles:
    """Return the place of a leaf. Raises IdentityError for a name that is no file name."""
    if not _NAME.fullmatch(name):
        raise IdentityError(
            f"{name!r} cannot name a certificate", "use letters, digits, dots, - and _"
        )
    base = directory / "leaf" / name
    return LeafFiles(base / f"{algorithm}.crt", base / f"{algorithm}.key")


def create_authority(
    directory: Path,
    algorithm: str = DEFAULT_ALGORITHM,
    *,
    now: datetime,
    trust_domain: str | None = None,
    days: int = ROOT_DAYS,
) -> Authority:
    """Make a root. Raises IdentityError when one of that algorithm is there already."""
    _check_algorithm(algorithm)
    validity = Validity.starting(now, days)
    private_key = ALGORITHMS[algorithm]()
    certificate = certificates.build_root(private_key, algorithm, validity, trust_domain)
    authority = Authority(directory, algorithm, certificate, private_key)
    make_directory(authority.path.parent)
    write_pair(
        (authority.path.with_suffix(".key"), encode_private_key(private_key)),
        (authority.path, encode(certificate)),
    )
    return authority


def open_authority(directory: Path, algorithm: str = DEFAULT_ALGORITHM) -> Authority:
    """Load a root and its key. Raises IdentityError when it is not there or not readable."""
    _check_algorithm(algorithm)
    path = root_path(directory, algorithm)
    if not path.exists():
        raise IdentityError(
            f"there is no {algorithm} authority in {directory}",
            f"make one: pqproxy certs init --dir {directory} --algorithm {algorithm}",
        )
    certificate = read_certificates(read(path), str(path))[0]
    key_path = path.with_suffix(".key")
    try:
        private_key = load_private_key(read(key_path))
    except CryptoError as error:
        raise IdentityError(f"{key_path}: {error}") from None
    if private_key.public_key() != certificate_key(certificate):
        raise IdentityError(
            f"{key_path} does not belong to {path}", "put back the key it was made with"
        )
    return Authority(directory, algorithm, certificate, private_key)


def issue(
    authority: Authority, name: str, names: LeafNames, *, now: datetime, days: int = LEAF_DAYS
) -> LeafFiles:
    """Make a leaf and its key. It ends with its authority at the latest.

    Raises IdentityError for names that cannot be issued and for files that exist.
    """
    files = leaf_files(authority.directory, name, authority.algorithm)
    _check_domain(authority, names)
    validity = Validity.starting(now, days)
    if authority.certificate.not_valid_after_utc <= now:
        raise IdentityError(
            f"the authority {authority.path} has expired",
            "move its directory away and make a new one with pqproxy certs init",
        )
    private_key = ALGORITHMS[authority.algorithm]()
    issuer = certificates.Issuer(authority.certificate, authority.private_key)
    leaf = certificates.build_leaf(private_key.public_key(), name, names, validity, issuer)
    make_directory(files.certificate.parent)
    write_pair((files.key, encode_private_key(private_key)), (files.certificate, encode(leaf)))
    return files


def export(directory: Path, name: str, algorithm: str, target: Path) -> None:
    """Write a leaf's key, its chain and every root of the directory to one new file, mode 0600.

    Raises IdentityError when there is no such leaf, and when the file exists.
    """
    files = leaf_files(directory, name, algorithm)
    if not files.certificate.exists():
        raise IdentityError(
            f"there is no {algorithm} certificate of {name} in {directory}",
            f"issue it: pqproxy certs issue {name} --dir {directory} --algorithm {algorithm}",
        )
    parts = [read(files.key), read(files.certificate)]
    # The roots of other algorithms too: a peer may have been issued from any of them.
    parts += [read(path) for path in _roots(directory)]
    write_new(target, b"".join(parts), KEY_MODE)


def _check_algorithm(algorithm: str) -> None:
    if algorithm not in ALGORITHMS:
        raise IdentityError(
            f"{algorithm!r} is not an algorithm for certificates",
            f"choose one of {', '.join(ALGORITHMS)}",
        )


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
        for path in _roots(directory)
        for certificate in read_certificates(read(path), str(path))
    }


def _roots(directory: Path) -> list[Path]:
    return sorted(directory.glob("ca/*/ca.crt"))
