"""One file with all that another machine needs of us: keys, their chains, and whom to believe."""

from collections.abc import Iterator
from pathlib import Path

from pqproxy.identity.authority import root_path, roots
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import KEY_MODE, read, write_new
from pqproxy.identity.leaves import Leaf, find_leaves
from pqproxy.identity.pem import BLOCK


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


def split_bundle(pem: bytes) -> list[bytes]:
    """Return the identities of a bundle, each with its key; with one key it is all in one.

    Of several each begins with its key, as `export` writes them.
    """
    blocks = [(block["label"].endswith(b"PRIVATE KEY"), block[0]) for block in BLOCK.finditer(pem)]
    if sum(is_key for is_key, _ in blocks) < 2:
        return [pem]
    return list(_parts(blocks))


def _parts(blocks: list[tuple[bool, bytes]]) -> Iterator[bytes]:
    part: list[bytes] = []
    for is_key, block in blocks:
        if is_key and part:
            yield b"\n".join([*part, b""])
            part = []
        part.append(block)
    yield b"\n".join([*part, b""])


def _check_key(leaf: Leaf) -> None:
    if not leaf.files.key.exists():
        raise IdentityError(
            f"there is no {leaf.files.key}: the key of {leaf.name} was made on another machine",
            "copy the certificate there: it needs no export",
        )
