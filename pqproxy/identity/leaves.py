"""Where leaves lie in a directory of certificates, and which there are.

    DIR/leaf/<name>/<algorithm>.{crt,key}

The algorithm is that of the leaf's key. A leaf that was renewed is a link into a generation: see
`generations`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.keys import key_algorithm, load_private_key
from pqproxy.identity.certificates import LeafNames, preference
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import read
from pqproxy.identity.generations import earlier_generations
from pqproxy.identity.names import MALFORMED, read_names
from pqproxy.identity.pem import read_certificates

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class LeafFiles:
    """Where a leaf and its key lie."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that lies in a directory; its key may lie elsewhere."""

    name: str
    algorithm: str
    files: LeafFiles
    chain: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        """The leaf itself."""
        return self.chain[0]


def file_algorithm(key: PublicKey | PrivateKey) -> str:
    """What files of a key are called: as people type it, so with the bits of RSA."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return f"rsa-{key.key_size}"
    return key_algorithm(key)


def leaf_directory(directory: Path, name: str) -> Path:
    """Return the place of all leaves of a name. Raises IdentityError if that is no file name."""
    if not _NAME.fullmatch(name):
        raise IdentityError(
            f"{name!r} cannot name a certificate", "use letters, digits, dots, - and _"
        )
    return directory / "leaf" / name


def leaf_files(directory: Path, name: str, algorithm: str) -> LeafFiles:
    """Return the place of a leaf. Raises IdentityError for a name that is no file name."""
    base = leaf_directory(directory, name)
    return LeafFiles(base / f"{algorithm}.crt", base / f"{algorithm}.key")


def find_leaves(directory: Path, name: str, algorithm: str | None = None) -> tuple[Leaf, ...]:
    """Read every leaf of a name, or the one of an algorithm. Raises IdentityError without any."""
    base = leaf_directory(directory, name)
    paths = sorted(base.glob(f"{algorithm or '*'}.crt"), key=lambda path: preference(path.stem))
    if not paths:
        option = f" --algorithm {algorithm}" if algorithm else ""
        raise IdentityError(
            f"there is no {algorithm + ' ' if algorithm else ''}certificate of {name}"
            f" in {directory}",
            f"issue it: pqproxy certs issue {name} --dir {directory}{option}",
        )
    return tuple(_read(name, path) for path in paths)


def earlier_leaves(directory: Path, name: str) -> Iterator[Leaf]:
    """Read what leaves of a name were before they were renewed, as far as that was kept."""
    for generation in earlier_generations(leaf_directory(directory, name)):
        for path in sorted(generation.glob("*.crt")):
            yield _read(name, path)


def leaf_names(directory: Path) -> tuple[str, ...]:
    """Return every name of which there is a certificate."""
    return tuple(sorted({path.parent.name for path in directory.glob("leaf/*/*.crt")}))


def certified_names(leaf: Leaf) -> LeafNames:
    """Return the names of a leaf, for another one of the same. Raises IdentityError."""
    try:
        names = read_names(leaf.certificate)
        return LeafNames.parse(names.uris, names.dns_names, names.ip_addresses)
    except MALFORMED as error:
        message = f"{leaf.files.certificate}: does not parse: {error}"
        raise IdentityError(message, "issue another one") from None
    except IdentityError as error:
        raise IdentityError(f"{leaf.files.certificate}: {error}", error.fix) from None


def read_key(path: Path, passphrase: bytes | None = None) -> PrivateKey:
    """Read a private key. Raises IdentityError naming its file, which holds nothing of the key."""
    pem = read(path)
    try:
        return load_private_key(pem, passphrase=passphrase)
    except CryptoError as error:
        message = f"{path}: {error}"
    raise IdentityError(message)


def _read(name: str, path: Path) -> Leaf:
    chain = read_certificates(read(path), str(path))
    return Leaf(name, path.stem, LeafFiles(path, path.with_suffix(".key")), chain)
