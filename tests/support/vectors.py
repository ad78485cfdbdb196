"""The test vectors that live beside the repository, not in it.

`../shared/vectors` from the root of the repository, or wherever PQPROXY_VECTORS says. A test that
needs a file which is not there skips, naming the path.
"""

import json
import os
from pathlib import Path

import pytest

DEFAULT = Path(__file__).parents[2].parent / "shared" / "vectors"


def vectors_path(name):
    """The path of one file of vectors; skips the test when it is missing."""
    path = Path(os.environ.get("PQPROXY_VECTORS") or DEFAULT) / name
    if not path.is_file():
        pytest.skip(f"no test vectors at {path} (PQPROXY_VECTORS names another folder)")
    return path


def load_vectors(name):
    """The content of one JSON file of vectors; skips the test when it is missing."""
    return json.loads(vectors_path(name).read_text())
