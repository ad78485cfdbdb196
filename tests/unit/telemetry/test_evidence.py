import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.proxy.channel import MAX_REPORT
from pqproxy.telemetry.callers import Caller
from pqproxy.telemetry.evidence import (
    ROWS_A_REPORT,
    SHOWN_IN_STATUS,
    Evidence,
    add_evidence,
    take_evidence,
)
from pqproxy.telemetry.labels import Decision
from pqproxy.telemetry.ledger import Entry, Protection
from pqproxy.telemetry.observed import Objection, Offered
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.telemetry.sightings import MOST

HYBRID = Protection("X25519MLKEM768", True, "TLS_AES_256_GCM_SHA384", "mldsa65", None, False)


def observe(evidence, number, offered=None):
    """A caller that was never seen before."""
    source = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    key = Objection(Caller.of(None, source), Decision.REFUSED, ReasonCode.PLAINTEXT)
    evidence.observed.note(key, offered or Offered.of(source), float(number))


def serve(evidence, number):
    evidence.ledger.note(Entry(Caller.of(f"app-{number}", "10.0.0.1"), HYBRID), "10.0.0.1", 1.0)


def reported(here, there, known=("llm", "other")):
    """Send one report; return its length."""
    report = json.dumps(take_evidence(here))
    add_evidence(there, json.loads(report), known)
    return len(report)


def test_a_report_holds_what_is_new_and_nothing_twice():
    here, there = {"llm": Evidence()}, {}
    observe(here["llm"], 1)
    serve(here["llm"], 1)
    reported(here, there)

    assert take_evidence(here) == {}
    observe(here["llm"], 1)
    reported(here, there)
    assert there["llm"].observed.shown()[0]["count"] == 2
    assert there["llm"].ledger.shown()[0]["count"] == 1


def test_a_report_stays_far_below_what_the_channel_takes_whatever_peers_send():
    """A flood of strangers with the longest of everything, at more listeners than is sensible."""
    worst = Offered.of("\n" * 1000, ["\n" * 1000] * 1000, ["\n" * 1000] * 1000, detail="\n" * 1000)
    here = {f"listener-{n}": Evidence() for n in range(300)}
    for evidence in here.values():
        for number in range(4):
            observe(evidence, number, worst)
            serve(evidence, number)

    lengths = [len(json.dumps(take_evidence(here))) for _ in range(4)]

    assert max(lengths) < MAX_REPORT * 2 / 3
    assert min(lengths) > 0


def test_a_flood_is_reported_page_by_page_and_hides_nobody():
    here, there = {"llm": Evidence(), "other": Evidence()}, {}
    for number in range(2000):
        observe(here["llm"], number)
    serve(here["llm"], 1)
    observe(here["other"], 1)

    reported(here, there)

    assert len(there["llm"].ledger.rows) == len(there["other"].observed.rows) == 1
    assert 0 < len(there["llm"].observed.rows) <= ROWS_A_REPORT
    while here["llm"].observed.rows:
        reported(here, there)
    assert len(there["llm"].observed.rows) == 2000


def test_tables_are_bounded_here_and_there_and_say_what_they_forgot():
    here, there = {"llm": Evidence()}, {}
    for number in range(MOST + 10):
        observe(here["llm"], number)
    while take := here["llm"].observed.rows:
        reported(here, there)
        assert len(take) < MOST
    for number in range(MOST, MOST + 20):  # ten of them are known
        observe(here["llm"], number)
    reported(here, there)

    assert len(there["llm"].observed.rows) == MOST
    assert there["llm"].observed.forgotten == 20
    assert there["llm"].table("observed")["forgotten"] == 20


def test_status_shows_the_newest_and_how_many_there_are():
    evidence = Evidence()
    for number in range(SHOWN_IN_STATUS + 5):
        observe(evidence, number)

    summary = evidence.summary()
    assert summary["observed"]["rows"] == SHOWN_IN_STATUS + 5
    assert len(summary["observed"]["newest"]) == SHOWN_IN_STATUS
    assert summary["observed"]["newest"][0]["source"] == f"10.0.0.{SHOWN_IN_STATUS + 4}"
    assert summary["ledger"] == {"rows": 0, "forgotten": 0, "newest": []}
    assert len(evidence.table("observed")["rows"]) == SHOWN_IN_STATUS + 5


def test_how_many_callers_were_let_in_is_said_beside_whom_would_be_refused():
    """Nobody to mend among a hundred callers is an answer, among none it is not."""
    evidence = Evidence()
    for number in (1, 2, 1):
        serve(evidence, number)

    assert evidence.table("observed")["callers_let_in"] == 2


def test_a_listener_that_there_is_not_takes_no_memory():
    there = {}
    add_evidence(there, {"made-up": {"observed": [], "ledger": [], "forgotten": [0, 0]}}, ("llm",))

    assert there == {}


def test_a_listener_that_was_removed_is_forgotten():
    here, there = {"llm": Evidence()}, {}
    serve(here["llm"], 1)
    reported(here, there)
    reported(here, there, known=("other",))

    assert there == {}


@pytest.mark.parametrize(
    "report",
    [
        None,
        [],
        {"llm": []},
        {"llm": {}},
        {"llm": {"observed": [], "ledger": []}},
        {"llm": {"observed": [], "ledger": [], "forgotten": [1]}},
        {"llm": {"observed": [], "ledger": [], "forgotten": [1, -1]}},
        {"llm": {"observed": {}, "ledger": [], "forgotten": [0, 0]}},
        {"llm": {"observed": [[]], "ledger": [], "forgotten": [0, 0]}},
    ],
)
def test_a_report_that_no_worker_of_ours_writes_is_refused(report):
    with pytest.raises(ValueError, match=r"."):
        add_evidence({}, report, ("llm",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
OBSERVED = [None, "10.0.0.1", "refused", "plaintext", 1.0, 2.0, 3, "10.0.0.1", ["x"], [], None]
TALK = ["app", None, "x25519", False, "suite", None, None, False, 1.0, 2.0, 3, "10.0.0.1"]


@st.composite
def nearly_sound_rows(draw, row):
    """A row with a few values that are anything."""
    changed = list(row)
    for position in draw(st.sets(st.integers(0, len(row) - 1), max_size=2)):
        changed[position] = draw(JSON)
    return changed


@given(st.lists(nearly_sound_rows(OBSERVED)), st.lists(nearly_sound_rows(TALK)), JSON)
def test_whatever_a_worker_reports_is_shown_or_refused(observed, talks, forgotten):
    """It faces the network: what it says can neither crash its supervisor nor forge a page."""
    evidence = Evidence()
    report = {"observed": observed, "ledger": talks, "forgotten": [0, forgotten]}
    with suppress(ValueError):
        evidence.add(report)

    page = json.dumps([evidence.summary(), evidence.table("observed"), evidence.table("ledger")])
    assert page.isascii()
    assert "\\u" not in page
    assert "\\n" not in page
