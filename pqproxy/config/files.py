"""Reads the files that a configuration names. What is in them is judged in `identity`."""

import os
from pathlib import Path

from pqproxy.config.problems import did_you_mean, listed
from pqproxy.config.values import RevocationFile

# Far above any chain or bundle, and small enough that a wrong path (a model, a device) costs
# nothing.
SIZE_LIMIT = 4 * 1024 * 1024

# A list of 100 000 revoked certificates takes 4 MB.
REVOCATION_SIZE_LIMIT = 64 * 1024 * 1024

ROOT_SUFFIXES = frozenset({".pem", ".crt", ".cer"})
_REVOCATION_SUFFIXES = ROOT_SUFFIXES | {".crl", ".der"}
_TAKE_APART = (
    "make a PEM of it: openssl pkcs12 -in FILE.p12 -out FILE.pem (a key store of Java first becomes"
    " one by keytool -importkeystore -deststoretype pkcs12)"
)
_LONGEST_PASSPHRASE = 1023  # bytes, as in OpenSSL


class UnreadableFile(Exception):
    """A file cannot be used; the message says which and why."""


def read_file(path: Path, limit: int = SIZE_LIMIT) -> bytes:
    """Return what is in a file. Raises UnreadableFile."""
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except FileNotFoundError:
        raise UnreadableFile(f"there is no {path}{_sibling(path)}") from None
    except PermissionError:
        message = f"{path} cannot be read: user {os.geteuid()} may not read it"
        raise UnreadableFile(message) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(f"{path} cannot be read: {reason}") from None
    if len(content) > limit:
        raise UnreadableFile(f"{path} is too large to be meant: more than {limit >> 20} MiB")
    if not content.strip():
        raise UnreadableFile(f"{path} is empty")
    if store := _key_store(content):
        raise UnreadableFile(f"{path} is {store}, which pqproxy does not open; {_TAKE_APART}")
    return content


def _key_store(content: bytes) -> str | None:
    """Name what is no PEM, but holds keys and certificates all the same."""
    if content.startswith((b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")):
        return "a key store of Java"
    # SEQUENCE { INTEGER 3, …: RFC 7292 §4. No certificate and no key begins like that.
    is_sequence = content.startswith(b"0") and len(content) > 1
    header = 2 + (content[1] & 0x7F if is_sequence and content[1] & 0x80 else 0)
    if is_sequence and content.startswith(b"\x02\x01\x03", header):
        return "a PKCS#12 file"
    return None


def read_revocation_files(path: Path) -> tuple[RevocationFile, ...]:
    """Read a file of revocation lists, or each such file in a directory. Raises UnreadableFile."""
    try:
        path.lstat()
    except FileNotFoundError:  # no neighbour is meant: it is not made yet
        hint = "pqproxy certs crl makes the list of an authority of your own"
        raise UnreadableFile(f"there is no {path} ({hint})") from None
    except (OSError, ValueError):
        pass  # whoever reads it says what is wrong
    return tuple(
        RevocationFile(str(item), read_file(item, REVOCATION_SIZE_LIMIT))
        for item in files_in(path, _REVOCATION_SUFFIXES)
    )


def is_directory(path: Path) -> bool:
    """Whether a path leads to one. Where we may not know, whoever reads it then says so."""
    return os.path.isdir(path)  # Path.is_dir raises for what we may not enter


def files_in(path: Path, suffixes: frozenset[str]) -> list[Path]:
    """Return a file itself, or those of a directory that are meant. Raises UnreadableFile."""
    if not is_directory(path):
        return [path]
    try:
        found = sorted(item for item in path.iterdir() if item.suffix.lower() in suffixes)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from None
    if not found:
        raise UnreadableFile(f"{path} holds no {listed(sorted(suffixes))} file")
    return found


def read_passphrase(path: Path) -> bytes:
    """Return the one line of a file, without its line break. Raises UnreadableFile."""
    passphrase = read_file(path).removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" in passphrase:
        raise UnreadableFile(f"{path} holds more than one line, so it is no passphrase")
    if len(passphrase) > _LONGEST_PASSPHRASE:
        raise UnreadableFile(f"{path} is too long for a passphrase: at most {_LONGEST_PASSPHRASE}")
    return passphrase


def _sibling(path: Path) -> str:
    try:
        names = [item.name for item in path.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(path.name, names)
