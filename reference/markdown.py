"""The little of Markdown that the reference needs."""

from collections.abc import Iterable, Iterator, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; a bar in a cell would end it."""
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for row in rows:
        yield _row([cell.replace("|", r"\|").replace("\n", " ") for cell in row])


def code(text: str) -> str:
    """Text as it is typed; nothing stays nothing."""
    return f"`{text}`" if text else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
