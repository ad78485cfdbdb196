"""One file with all that another machine needs of us: keys, their chains, and whom to believe."""

from pathlib import Path

from pqproxy.identity.authority import root_path, roots
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import KEY_MODE, read, write_new
from pqproxy.identity.leaves import Leaf, find_leaves


def export(directory: Path, name: str, target: Path, algorithm: str | None = None) -> None:
    """Write leaves to one new file, mode 0600: each key and its chain, then the roots.

    All leaves of the name and all roots of the directory, or those of one algorithm: then peers
    of no other kind are believed. Raises IdentityError when there is no such leaf or its key lies
    elsewhere, and when the file exists.
    """
    leaves = find_leaves(directory, name, algorithm)
    for leaf in leaves:
        _check_key(leaf)
    believed = roots(directory) if algorithm is None else (root_path(directory, algorithm),)
    parts = [path for leaf in leaves for path in (leaf.files.key, leaf.files.certificate)]
    write_new(target, b"".join(map(read, (*parts, *believed))), KEY_MODE)


def _check_key(leaf: Leaf) -> None:
    if not leaf.files.key.exists():
        raise IdentityError(
            f"there is no {leaf.files.key}: the key of {leaf.name} was made on another machine",
            "copy the certificate there: it needs no export",
        )
