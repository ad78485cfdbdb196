"""`python -m reference [--check]`: write the documents, or say which are stale."""

import sys
from collections.abc import Callable
from pathlib import Path

from reference.manual import manual
from reference.page import page
from reference.schema import schema

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/reference.md": page,
    "docs/pqproxy.1": manual,
    "config/proxy.schema.json": schema,
}


def stale(root: Path = ROOT) -> list[str]:
    """Name the documents that are not what the code says."""
    return [
        name
        for name, make in DOCUMENTS.items()
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != make()
    ]


def main(arguments: list[str]) -> int:
    """Write, or check."""
    outdated = stale()
    for name in outdated:
        if "--check" in arguments:
            print(f"{name} is stale: python -m reference")
        else:
            (ROOT / name).write_text(DOCUMENTS[name](), encoding="utf-8")
            print(f"{name} written")
    return int(bool(outdated) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
