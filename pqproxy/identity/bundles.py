"""One file of several roots: what peers believe while one authority gives way to another.

The file is replaced by one rename, so whoever reads it has the roots of before or of after.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.config.values import TrustFiles
from pqproxy.identity.errors import CannotWrite, IdentityError
from pqproxy.identity.files import locked, make_directory, read, replace
from pqproxy.identity.pem import encode
from pqproxy.identity.roots import read_roots

_SHORTEST = 8  # hex digits that name a root


@dataclass(frozen=True, slots=True)
class BundleChange:
    """What a bundle holds now, and what became of it."""

    roots: tuple[x509.Certificate, ...]
    added: tuple[x509.Certificate, ...]
    retired: tuple[x509.Certificate, ...]


def change_bundle(path: Path, add: Iterable[Path], retire: Iterable[str]) -> BundleChange:
    """Add the roots of files to a bundle, which is made where there is none, and take some out.

    Those to retire are named by a file or by the beginning of their SHA-256. Raises IdentityError
    for what is no root, is not in the bundle, or would leave it empty.
    """
    make_directory(path.parent)
    try:
        with locked(path.parent):
            return _change(path, list(add), list(retire))
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, in hex."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _change(path: Path, add: list[Path], retire: list[str]) -> BundleChange:
    before = _roots(path) if path.exists() else ()
    wanted = dict.fromkeys((*before, *(root for source in add for root in _roots(source))))
    retired = tuple(dict.fromkeys(r for named in retire for r in _named(named, wanted, path)))
    for root in retired:
        del wanted[root]
    if not wanted:
        raise IdentityError(
            f"{path} would hold no root any more, and nobody would be believed",
            "add the root that takes over first: --add FILE",
        )
    roots = tuple(wanted)
    if roots != before:
        replace(path, encode(*roots))
    added = tuple(root for root in roots if root not in before)
    return BundleChange(roots, added, retired)


def _roots(path: Path) -> tuple[x509.Certificate, ...]:
    files = TrustFiles("bundle", (read(path),), str(path))
    try:
        return tuple(root.certificate for root in read_roots(files))
    except IdentityError as error:
        message = str(error).removeprefix("trust bundle: ")
        raise IdentityError(message, error.fix) from None


def _named(
    named: str, among: Iterable[x509.Certificate], bundle: Path
) -> tuple[x509.Certificate, ...]:
    digits = named.replace(":", "").lower()
    if len(digits) >= _SHORTEST and not set(digits) - set("0123456789abcdef"):
        found = tuple(root for root in among if fingerprint(root).startswith(digits))
    else:
        found = tuple(root for root in _roots(Path(named)) if root in set(among))
    if not found:
        raise IdentityError(
            f"{bundle} does not hold {named}",
            f"pqproxy certs show {bundle} lists its roots and their sha256",
        )
    return found
