"""Files that are never half-written, nor overwritten unasked; keys are for their owner only."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pqproxy.identity.errors import CannotWrite, IdentityError

KEY_MODE = 0o600
CERTIFICATE_MODE = 0o644
_DIRECTORY_MODE = 0o700


def make_directory(directory: Path) -> None:
    """Make a directory and what is missing above it, for the owner only; leave existing ones.

    Raises IdentityError when that is not permitted.
    """
    try:
        for path in (*reversed(directory.parents), directory):
            if not path.exists():
                path.mkdir(_DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        raise IdentityError(
            f"cannot make {directory}: {error.strerror}", "choose another directory"
        ) from None


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that does not exist yet. Raises IdentityError when it does.

    The content goes to a new file beside it, which then gets the name by a hard link: unlike a
    rename that fails where the name is taken, and no reader ever sees half a key.
    """
    try:
        with _temporary(path, content, mode) as temporary:
            os.link(temporary, path)
    except FileExistsError:
        raise already_exists(path) from None
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None


def replace(path: Path, content: bytes, mode: int = CERTIFICATE_MODE) -> None:
    """Write a file in the place of one that may be there: readers see the one or the other.

    Raises IdentityError when it cannot be written.
    """
    try:
        with _temporary(path, content, mode) as temporary:
            temporary.replace(path)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None


@contextmanager
def _temporary(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):  # it has got its name
            temporary.unlink()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Wait until nobody else changes what is in a directory, and keep others waiting."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_pair(key: tuple[Path, bytes], certificate: tuple[Path, bytes]) -> None:
    """Write a key and its certificate, or neither. Raises IdentityError when one exists."""
    key_path, certificate_path = key[0], certificate[0]
    for path in (key_path, certificate_path):
        if path.exists() or path.is_symlink():
            raise already_exists(path)
    write_new(key_path, key[1], KEY_MODE)
    try:
        write_new(certificate_path, certificate[1], CERTIFICATE_MODE)
    except IdentityError:
        key_path.unlink()  # ours, made a moment ago: a key without certificate blocks the next try
        raise


def read(path: Path) -> bytes:
    """Read a file. Raises IdentityError naming it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise IdentityError(f"cannot read {path}: {error.strerror}") from None


def already_exists(path: Path) -> IdentityError:
    """Say that a file is in the way."""
    return IdentityError(
        f"{path} exists and is never overwritten",
        "move it away, or choose another name or directory",
    )
