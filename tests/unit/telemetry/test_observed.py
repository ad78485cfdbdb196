import json

import pytest

from pqproxy.telemetry.callers import Caller
from pqproxy.telemetry.labels import Decision
from pqproxy.telemetry.observed import MORE, MOST_GROUPS, MOST_SCHEMES, Objection, Observed, Offered
from pqproxy.telemetry.reasons import ReasonCode

ANONYMOUS = Objection(Caller.of(None, "10.0.0.1"), Decision.WOULD_REFUSE, ReasonCode.NO_PQ_GROUP)
OFFERED = Offered.of("10.0.0.1", ["x25519"], ["ecdsa_secp256r1_sha256"])


def travelled(table):
    """The table that a supervisor makes of a worker's reports."""
    there = Observed()
    for row in json.loads(json.dumps(table.take_rows(1000))):
        there.add_row(row)
    return there


def test_a_row_tells_who_what_why_and_since_when():
    table = Observed()
    table.note(ANONYMOUS, OFFERED, 10.0)
    table.note(ANONYMOUS, OFFERED, 20.0)

    assert travelled(table).shown() == [
        {
            "identity": None,
            "source": "10.0.0.1",
            "decision": "would_refuse",
            "reason": "no_pq_group",
            "detail": None,
            "offered_groups": ["x25519"],
            "offered_signature_schemes": ["ecdsa_secp256r1_sha256"],
            "first_seen": "1970-01-01T00:00:10.000Z",
            "last_seen": "1970-01-01T00:00:20.000Z",
            "count": 2,
        }
    ]


def test_callers_decisions_and_reasons_are_told_apart_and_the_newest_comes_first():
    """A plaintext caller and a TLS 1.2 caller of one address are two things to mend."""
    table = Observed()
    table.note(ANONYMOUS, OFFERED, 1.0)
    for reason in (ReasonCode.TLS_VERSION, ReasonCode.PLAINTEXT):
        key = ANONYMOUS._replace(decision=Decision.REFUSED, reason=reason)
        table.note(key, Offered.of("10.0.0.1", detail="why"), 2.0)
    known = ANONYMOUS._replace(caller=Caller.of("spiffe://corp/a", "10.0.0.1"))
    table.note(known, OFFERED, 3.0)

    shown = travelled(table).shown()
    assert [(row["identity"], row["reason"]) for row in shown] == [
        ("spiffe://corp/a", "no_pq_group"),
        (None, "plaintext"),
        (None, "tls_version"),
        (None, "no_pq_group"),
    ]
    assert len(travelled(table).shown(at_most=2)) == 0  # reported once
    assert shown[1]["detail"] == "why"


def test_what_a_peer_offers_is_cut_and_escaped():
    """A hello may list 32 715 signature schemes, and a name may hold a line end."""
    offered = Offered.of(
        "10.0.0.1\n", [f"0x{n:04x}" for n in range(20_000)], ["\x1b"] * 20_000, "x\n" * 5_000
    )

    assert offered.source == "10.0.0.1\\n"
    assert len(offered.groups) == MOST_GROUPS
    assert len(offered.signature_schemes) == MOST_SCHEMES
    assert offered.groups[-1] == offered.signature_schemes[-1] == MORE
    assert offered.signature_schemes[0] == "\\x1b"
    table = Observed()
    table.note(ANONYMOUS, offered, 1.0)
    assert len(json.dumps(table.take_rows(1))) < 2_000


def test_a_short_list_is_kept_whole():
    groups = [f"0x{n:04x}" for n in range(MOST_GROUPS)]

    assert Offered.of("a", groups).groups == tuple(groups)


SOUND = [None, "10.0.0.1", "refused", "plaintext", 1.0, 2.0, 3, "10.0.0.1", [], [], None]


def test_a_sound_row_is_taken():
    table = Observed()
    table.add_row(SOUND)

    assert table.shown()[0]["count"] == 3


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, "both"),
        (1, "x" * 1000),
        (1, "a\nb"),
        (2, "maybe"),
        (2, ["refused"]),
        (3, "because"),
        (4, float("inf")),
        (5, 1e300),
        (6, -1),
        (7, 7),
        (8, "x25519"),
        (8, ["x"] * (MOST_GROUPS + 1)),
        (8, ["x" * 100]),
        (9, [None]),
        (9, ["x"] * (MOST_SCHEMES + 1)),
        (10, {}),
    ],
)
def test_a_row_that_no_worker_of_ours_writes_is_refused(position, value):
    row = list(SOUND)
    row[position] = value

    with pytest.raises(ValueError, match=r"."):
        Observed().add_row(row)


@pytest.mark.parametrize("row", [None, [], SOUND[1:], [*SOUND, 1], "x" * 11])
def test_a_row_of_another_length_is_refused(row):
    with pytest.raises(ValueError, match="11 values"):
        Observed().add_row(row)
