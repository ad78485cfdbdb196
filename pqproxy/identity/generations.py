"""Files that change together, though each is read by itself: a certificate and its key.

Two files cannot be renamed at once, so what changes is one link, as in a volume that a kubelet
mounts:

    DIR/..2027-01-01T00-00-00Z.5f3a/llm.{crt,key}     a generation, complete before it is seen
    DIR/..data -> ..2027-01-01T00-00-00Z.5f3a         replaced by one rename
    DIR/llm.crt -> ..data/llm.crt

Whoever resolves `..data` once and then reads both files has a pair: the generation before stays
until the next change. Whoever opens both paths one after the other may meet the change in between,
and reads both again when they do not fit.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from pqproxy.identity.errors import CannotWrite, IdentityError
from pqproxy.identity.files import CERTIFICATE_MODE, KEY_MODE, locked, read, write_new

CURRENT = "..data"
_SUFFIXES = (".crt", ".key")


def replace_together(directory: Path, files: Mapping[str, bytes], now: datetime) -> None:
    """Put files of a directory in the place of those that are there, all at one moment.

    Files are named without a directory. Each is for whom the one before was for; new ones with the
    suffix `.key` are for their owner only. Raises IdentityError when that fails: then everything is
    as it was.
    """
    for name in files:
        _check_link(directory / name)
    try:
        with locked(directory):
            _adopt(directory, now)
            _switch(directory, {**_current(directory), **files}, now)
            _link(directory, files)
            _forget(directory)
    except OSError as error:
        raise CannotWrite(f"cannot replace files in {directory}: {error.strerror}") from None


def earlier_generations(directory: Path) -> Iterator[Path]:
    """Yield the generations that are kept though they do not count any more."""
    current = _target(directory)
    for path in _generations(directory):
        if current is not None and path.name != current:
            yield path


def _check_link(path: Path) -> None:
    if path.is_symlink() and os.readlink(path) != f"{CURRENT}/{path.name}":
        raise IdentityError(
            f"{path} is a link to {os.readlink(path)}, which is not ours to replace",
            "replace what it points to, or put a copy in the place of the link",
        )


def _adopt(directory: Path, now: datetime) -> None:
    """Make links of plain files, whose content stays what it is at every moment."""
    plain = {
        path.name: read(path)
        for path in directory.iterdir()
        if path.suffix in _SUFFIXES and not path.is_symlink() and not path.name.startswith(".")
    }
    if plain:
        _switch(directory, {**_current(directory), **plain}, now)
        _link(directory, plain)


def _switch(directory: Path, files: Mapping[str, bytes], now: datetime) -> None:
    generation = directory / f"..{now:%Y-%m-%dT%H-%M-%SZ}.{secrets.token_hex(4)}"
    generation.mkdir(0o700)
    try:
        for name, content in files.items():
            mode = KEY_MODE if name.endswith(".key") else CERTIFICATE_MODE
            write_new(generation / name, content, mode)
            _belong(generation / name, like=directory / name)
        _belong(generation, like=directory)
        _replace_link(directory / CURRENT, generation.name)
    except BaseException:
        shutil.rmtree(generation)
        raise


def _belong(path: Path, like: Path) -> None:
    """Give a file to whom the one before was given: the proxy may run as somebody else."""
    if like.exists():
        found = like.stat()
        os.chown(path, found.st_uid, found.st_gid)
        path.chmod(stat.S_IMODE(found.st_mode))


def _link(directory: Path, names: Mapping[str, bytes]) -> None:
    for name in names:
        if not (directory / name).is_symlink():
            _replace_link(directory / name, f"{CURRENT}/{name}")


def _replace_link(link: Path, target: str) -> None:
    temporary = link.with_name(f".{link.name}.{secrets.token_hex(8)}")
    temporary.symlink_to(target)
    temporary.replace(link)
    _persist(link.parent)


def _persist(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(directory: Path) -> None:
    """Keep the generation before, for readers that are at it, and none from before that."""
    current = _target(directory)
    others = [path for path in _generations(directory) if path.name != current]
    others.sort(key=lambda path: path.stat().st_mtime_ns)
    for path in others[:-1]:
        shutil.rmtree(path)


def _current(directory: Path) -> dict[str, bytes]:
    current = directory / CURRENT
    return {path.name: read(path) for path in current.iterdir()} if current.is_dir() else {}


def _target(directory: Path) -> str | None:
    link = directory / CURRENT
    return os.readlink(link) if link.is_symlink() else None


def _generations(directory: Path) -> list[Path]:
    return [path for path in directory.glob("..[0-9]*") if path.is_dir()]
