import json

import pytest

from pqproxy.telemetry import endpoints
from pqproxy.telemetry.endpoints import Endpoint, Endpoints

UP, PLAIN, DOWN = Endpoint(2), Endpoint(plain=True), Endpoint(why="connection refused")


def told(**rows):
    table = Endpoints()
    table.replace(rows)
    return table


def merged(*snapshots):
    table = Endpoints()
    for snapshot in snapshots:
        table.merge(json.loads(json.dumps(snapshot)))
    return table


def test_what_all_workers_find_is_added_up():
    first = told(a=UP, b=UP, c=PLAIN).snapshot()
    second = told(a=UP, b=DOWN).snapshot()

    rows = merged(first, second).rows

    assert rows == {"a": Endpoint(4), "b": Endpoint(2, why="connection refused"), "c": PLAIN}


def test_what_is_no_longer_there_is_not_told_any_more():
    table = told(a=UP, b=UP)

    table.replace({"b": DOWN})

    assert table.document() == [
        {"address": "b", "tunnels": 0, "plain": False, "why": "connection refused"}
    ]


def test_what_a_peer_may_have_written_is_made_safe_to_print():
    """Why an endpoint is ejected may be what it said itself."""
    table = told(a=Endpoint(why="\x1b[2J" * 1000))

    (row,) = merged(table.snapshot()).document()

    assert row["why"].isprintable()
    assert len(row["why"]) < 300


def test_the_table_is_bounded(monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 2)

    assert list(told(a=UP, b=UP, c=UP).rows) == ["a", "b"]
    assert list(merged([["a", 1, False, ""], ["b", 1, False, ""], ["c", 1, False, ""]]).rows) == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [None],
        [["a", 1, False]],
        [["a", -1, False, ""]],
        [["a", 1, 0, ""]],
        [["a", 1, False, None]],
        [["\n", 1, False, ""]],
        [["a" * 1000, 1, False, ""]],
    ],
)
def test_a_malformed_report_is_refused(rows):
    with pytest.raises(ValueError):  # noqa: PT011 - the caller treats them all alike
        Endpoints().merge(rows)
