"""Reads the files that a configuration names. What is in them is judged in `identity`."""

from pathlib import Path

from pqproxy.config.problems import did_you_mean

# Far above any chain or bundle, and small enough that a wrong path (a model, a device) costs
# nothing.
SIZE_LIMIT = 4 * 1024 * 1024

_ROOT_SUFFIXES = frozenset({".pem", ".crt", ".cer"})


class UnreadableFile(Exception):
    """A file cannot be used; the message says which and why."""


def read_file(path: Path) -> bytes:
    """Return what is in a file. Raises UnreadableFile."""
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise UnreadableFile(f"there is no {path}{_sibling(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(f"{path} cannot be read: {reason}") from None
    if len(content) > SIZE_LIMIT:
        raise UnreadableFile(f"{path} is too large for a certificate or key")
    if not content.strip():
        raise UnreadableFile(f"{path} is empty")
    return content


def read_roots(path: Path) -> tuple[bytes, ...]:
    """Read a file of roots, or each such file in a directory. Raises UnreadableFile."""
    if not path.is_dir():
        return (read_file(path),)
    try:
        found = sorted(item for item in path.iterdir() if item.suffix in _ROOT_SUFFIXES)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from None
    if not found:
        raise UnreadableFile(f"{path} holds no .pem, .crt or .cer file")
    return tuple(read_file(item) for item in found)


def _sibling(path: Path) -> str:
    try:
        names = [item.name for item in path.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(path.name, names)
