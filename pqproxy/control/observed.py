"""What `/observed` of the control listener tells, for a person: who is to be mended, and why.

Takes the answer as another version may have written it: what is missing there is not shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_WIDEST = 60  # columns for a name; a longer one pushes its line, and is never cut
_MOST_GROUPS = 4  # then how many more there are
_HEAD = ("caller", "from", "reason", "count", "last seen", "what it offers, or did")

Row = Mapping[str, Any]


def report(observed: Row) -> Iterator[str]:
    """The lines, a paragraph for each listener and decision."""
    listeners = observed.get("listeners", ())
    for index, listener in enumerate(listeners):
        if index:
            yield ""
        yield from _listener(listener)


def _listener(listener: Row) -> Iterator[str]:
    name, policy = listener.get("name", "?"), listener.get("policy", "?")
    rows = listener.get("rows", ())
    if not rows:
        yield f"{name}  policy {policy}: {_nobody(listener)}"
        return
    yield f"{name}  policy {policy}"
    would = [row for row in rows if row.get("decision") == "would_refuse"]
    already = [row for row in rows if row.get("decision") != "would_refuse"]
    yield from _table("served today, refused under require", would)
    yield from _table("refused today, and under require", already)
    if forgotten := listener.get("forgotten"):
        yield f"  {forgotten} older rows were forgotten: there are more callers than are remembered"


def _nobody(listener: Row) -> str:
    """Why there are no rows: that nobody came at all would be no good news."""
    if listener.get("policy") != "observe":
        return "it does not observe"
    let_in = listener.get("callers_let_in", "?")
    return f"nobody was seen whom require would refuse; callers let in: {let_in}"


def _table(title: str, rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield f"  {title}:"
    cells = [_HEAD, *map(_cells, rows)]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield f"    {'  '.join(padded).rstrip()}"


def _cells(row: Row) -> tuple[str, ...]:
    last = str(row.get("last_seen", "")).partition(".")[0].replace("T", " ")
    return (
        row.get("identity") or "no certificate",
        row.get("source") or "",
        str(row.get("reason", "?")),
        str(row.get("count", "?")),
        last,
        _what(row),
    )


def _what(row: Row) -> str:
    """Its groups where they are the reason, else what it was refused for."""
    groups, detail = _groups(row.get("offered_groups") or ()), row.get("detail") or ""
    return groups or detail if row.get("reason") == "no_pq_group" else detail or groups


def _groups(names: Sequence[str]) -> str:
    more = len(names) - _MOST_GROUPS
    return ", ".join(names[:_MOST_GROUPS]) + (f" and {more} more" if more > 0 else "")
