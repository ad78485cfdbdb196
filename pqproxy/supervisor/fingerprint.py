"""What is in the files that a configuration names, as a digest, and where to watch for a change.

A path may lead over symbolic links, and a change of any of them is a change of the file: Kubernetes
exchanges a whole secret by one link, `..data`, and certbot has a link for each certificate. So the
directory of every link is watched, never the file itself, which a rename replaces.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from pqproxy.config.files import REVOCATION_SIZE_LIMIT

_MOST_LINKS = 40  # as the kernel follows
_PIECE = 1024 * 1024  # bytes


def fingerprint(files: Iterable[str]) -> bytes:
    """Digest what the files hold now, or why they cannot be read. It blocks."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(_digest(Path(file)))
    return whole.digest()


def watched_directories(files: Iterable[str]) -> frozenset[str]:
    """Return where something happens when one of the files becomes another one."""
    return frozenset(
        str(directory)
        for file in files
        for path in (Path(file), *_links(Path(file)))
        for directory in _crossings(path)
    )


def read_once(files: Iterable[str]) -> Iterator[str]:
    """Yield what cannot be read a second time, such as the pipe of a shell's `<(…)`."""
    for file in files:
        try:
            mode = os.stat(file).st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield file


def _links(path: Path) -> Iterator[Path]:
    """The entries of a directory whose content lies elsewhere."""
    try:
        yield from (entry for entry in path.iterdir() if entry.is_symlink() and entry.is_file())
    except OSError:  # no directory, or none any more
        return


def _digest(path: Path) -> bytes:
    try:
        if not path.is_dir():
            return _digest_of_file(path)
        entries = sorted(entry for entry in path.iterdir() if entry.is_file())
    except OSError as error:
        return repr(error.errno).encode()
    whole = hashlib.sha256()
    for entry in entries:
        whole.update(os.fsencode(entry.name) + b"\0")
        whole.update(_digest(entry))
    return whole.digest()


def _digest_of_file(path: Path) -> bytes:
    # What is longer is refused when it is read; a pipe that stands there by now is not waited for.
    whole, left = hashlib.sha256(), REVOCATION_SIZE_LIMIT + 1
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        while left and (piece := stream.read(min(left, _PIECE))):
            whole.update(piece)
            left -= len(piece)
    return whole.digest()


def _crossings(path: Path) -> Iterator[Path]:
    """The directory of each link on the way, and the one at the end, as far as they exist."""
    todo = list(reversed(path.absolute().parts))
    here = Path(todo.pop())
    links = 0
    while todo:
        step = here / todo[-1] if todo[-1] != ".." else here.parent
        todo.pop()
        try:
            target = Path(os.readlink(step))
        except OSError:  # no link; or nothing that we may see, and then nothing further either
            if not os.path.isdir(step):
                break
            here = step
            continue
        yield here
        links += 1
        if links > _MOST_LINKS:
            return
        todo.extend(reversed(target.parts))
    yield here
