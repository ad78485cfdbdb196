"""Which files an identity and a set of roots are in, where a configuration names one path for them.

A directory is taken for what a program is known to write there: a Kubernetes secret of type
`kubernetes.io/tls` (cert-manager's too), or what spiffe-helper writes. A file is taken for a PEM
with both certificate and key. What could mean two things is refused. Nothing is judged here.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pqproxy.config.files import ROOT_SUFFIXES, UnreadableFile, files_in, is_directory, read_file

_PRIVATE_KEY = b"PRIVATE KEY-----"  # in every label of one, encrypted or not


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of the files that one program puts into a directory."""

    writer: str
    certificate: str
    key: str
    roots: str


LAYOUTS = (
    Layout("a Kubernetes TLS secret", "tls.crt", "tls.key", "ca.crt"),
    Layout("spiffe-helper", "svid.pem", "svid_key.pem", "svid_bundle.pem"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and the key that was found with it."""

    certificate: bytes
    key: bytes
    source: str  # what to add to the path that was named, for messages

    def __repr__(self) -> str:
        return f"Pair(source={self.source!r})"


def read_pair(path: Path) -> Pair:
    """Read certificate and key where one path is named for both. Raises UnreadableFile."""
    if is_directory(path):
        layout = _layout_of_identity(path)
        certificate, key = read_file(path / layout.certificate), read_file(path / layout.key)
        return Pair(certificate, key, f": {layout.certificate} with {layout.key}")
    pem = read_file(path)
    if _PRIVATE_KEY not in pem:
        beside = key_beside(path)
        meant = f", did you mean {beside}" if beside else ""
        raise UnreadableFile(f"{path} holds no private key, and no other file is named{meant}")
    return Pair(pem, pem, "")


def read_named(path: Path) -> bytes:
    """Read one of certificate and key where each has a path. Raises UnreadableFile."""
    if is_directory(path):
        raise UnreadableFile(
            f"{path} is a directory: name a file, or leave key out where certificate and key are "
            "in this directory"
        )
    return read_file(path)


def key_path(certificate: Path, key: Path | None) -> Path:
    """Return the file that the key is read from. Raises UnreadableFile where none can be named."""
    if key is not None or not is_directory(certificate):
        return key or certificate
    return certificate / _layout_of_identity(certificate).key


def key_beside(certificate: Path) -> Path | None:
    """Return the file beside a certificate that by its name holds the key of it, if it exists."""
    known = {layout.certificate: layout.key for layout in LAYOUTS}
    beside = certificate.with_name(known.get(certificate.name, f"{certificate.stem}.key"))
    return beside if beside != certificate and os.path.exists(beside) else None


def read_roots(path: Path) -> tuple[bytes, ...]:
    """Read a file of roots, or those in a directory. Raises UnreadableFile."""
    return tuple(read_file(item) for item in root_paths(path))


def root_paths(path: Path) -> tuple[Path, ...]:
    """Return the files of roots that a path stands for. Raises UnreadableFile where it is none.

    In a directory that holds somebody's own certificate only one file holds roots.
    """
    layout = _layout_of(path) if is_directory(path) else None
    if layout is None:
        return tuple(files_in(path, ROOT_SUFFIXES))
    if not (path / layout.roots).exists():
        raise UnreadableFile(
            f"{path} has the files of {layout.writer}, but no {layout.roots}: name the file of the "
            "roots"
        )
    return (path / layout.roots,)


def _layout_of_identity(directory: Path) -> Layout:
    layout = _layout_of(directory)
    if layout is None:
        known = " nor ".join(f"{one.certificate} ({one.writer})" for one in LAYOUTS)
        raise UnreadableFile(f"{directory} holds neither {known}: name the files in it")
    return layout


def _layout_of(directory: Path) -> Layout | None:
    if not os.access(directory, os.X_OK):
        who = f"user {os.geteuid()}"
        raise UnreadableFile(f"{directory} cannot be read: {who} may not enter it")
    found = [
        layout
        for layout in LAYOUTS
        if (directory / layout.certificate).exists() or (directory / layout.key).exists()
    ]
    if len(found) > 1:
        names = " and ".join(layout.certificate for layout in found)
        raise UnreadableFile(f"{directory} holds {names}: name the files that are meant")
    return found[0] if found else None
