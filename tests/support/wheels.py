"""Wheels without an index: made of what is installed here."""

import importlib.metadata
import re
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ABOUT_THIS_INSTALLATION = {"INSTALLER", "REQUESTED", "direct_url.json"}


def repack_dependencies(distribution, directory):
    """Make wheels of everything that `distribution` needs, as it is installed here."""
    directory.mkdir(exist_ok=True)
    for name in sorted(_closure(distribution) - {_normal(distribution)}):
        _repack(importlib.metadata.distribution(name), directory)


def _closure(name):
    """A distribution and all that it requires without extras."""
    found, waiting = set(), [_normal(name)]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # its marker names another platform or another Python
        found.add(name)
        waiting += [
            _normal(re.match(r"[\w.-]+", requirement)[0])
            for requirement in requires
            if "extra ==" not in requirement
        ]
    return found


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _repack(distribution, directory):
    tag = re.search(r"^Tag: (\S+)", distribution.read_text("WHEEL"), re.MULTILINE)[1]
    name = re.sub(r"[-_.]+", "_", distribution.metadata["Name"])
    path = directory / f"{name}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as wheel:  # stored: speed matters here, size does not
        for file in distribution.files:
            outside = file.parts[0] == ".."  # scripts: pip makes them again
            if not outside and file.suffix != ".pyc" and file.name not in _ABOUT_THIS_INSTALLATION:
                wheel.write(file.locate(), str(file))
