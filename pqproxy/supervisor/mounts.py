"""Files that are mounted by themselves, such as by `subPath`: they never change.

Such a mount holds on to the file that it began with. A renewal puts another one in its place, where
the mount does not look, so the old certificate is shown until it ends, and nothing seems wrong.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
_MOUNT_POINT = 4  # the column, says proc(5)


def mounted_alone(files: Iterable[str], table: Path = _TABLE) -> Iterator[str]:
    """Yield those of the files that are a mount point. Directories may well be one."""
    points = frozenset[str]()
    with contextlib.suppress(OSError):  # no /proc: then nobody can tell
        lines = table.read_text(errors="surrogateescape").splitlines()
        points = frozenset(_plain(line.split(" ")[_MOUNT_POINT]) for line in lines)
    for file in files:
        if os.path.realpath(file) in points and not os.path.isdir(file):
            yield file


def frozen_warning(file: str) -> str:
    """Say what that means."""
    return f"{file} is mounted by itself (subPath): a renewed one will not be seen"


FROZEN_HINT = "mount the directory that holds it"


def _plain(written: str) -> str:
    r"""A path as the kernel writes it: blanks and the like are `\040`."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), written)
