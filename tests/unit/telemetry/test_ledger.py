import json

import pytest

from pqproxy.telemetry.callers import Caller
from pqproxy.telemetry.ledger import Entry, Ledger, Protection

HYBRID = Protection(
    "X25519MLKEM768", True, "TLS_AES_256_GCM_SHA384", "mldsa65", "ecdsa_secp256r1_sha256", False
)
APP = Entry(Caller.of("spiffe://corp/app", "10.0.0.1"), HYBRID)


def travelled(table):
    """The table that a supervisor makes of a worker's reports."""
    there = Ledger()
    for row in json.loads(json.dumps(table.take_rows(1000))):
        there.add_row(row)
    return there


def test_a_row_tells_who_talks_how_and_since_when():
    table = Ledger()
    table.note(APP, "10.0.0.1", 10.0)
    table.note(APP, "10.0.0.2", 20.0)

    assert travelled(table).shown() == [
        {
            "identity": "spiffe://corp/app",
            "source": "10.0.0.2",
            "group": "X25519MLKEM768",
            "post_quantum": True,
            "cipher_suite": "TLS_AES_256_GCM_SHA384",
            "signature": "mldsa65",
            "peer_signature": "ecdsa_secp256r1_sha256",
            "resumed": False,
            "first_seen": "1970-01-01T00:00:10.000Z",
            "last_seen": "1970-01-01T00:00:20.000Z",
            "count": 2,
        }
    ]


def test_a_peer_that_was_upgraded_has_a_row_for_before_and_one_for_after():
    table = Ledger()
    classical = HYBRID._replace(group="x25519", post_quantum=False)
    table.note(APP._replace(protection=classical), "10.0.0.1", 1.0)
    table.note(APP, "10.0.0.1", 2.0)

    shown = travelled(table).shown()
    assert [(row["group"], row["last_seen"][17:19]) for row in shown] == [
        ("X25519MLKEM768", "02"),
        ("x25519", "01"),
    ]
    assert shown[0]["post_quantum"] > shown[1]["post_quantum"]


def test_a_peer_without_a_certificate_has_no_signature():
    table = Ledger()
    anonymous = Entry(Caller.of(None, "10.0.0.9"), HYBRID._replace(peer_signature=None))
    table.note(anonymous, "10.0.0.9", 1.0)

    (row,) = travelled(table).shown()
    assert (row["identity"], row["source"], row["peer_signature"]) == (None, "10.0.0.9", None)


SOUND = ["app", None, "x25519", False, "suite", None, None, False, 1.0, 2.0, 3, "10.0.0.1"]


def test_a_sound_row_is_taken():
    table = Ledger()
    table.add_row(SOUND)

    assert table.shown()[0]["count"] == 3


@pytest.mark.parametrize(
    ("position", "value"),
    [(0, None), (0, "\n"), (2, None), (2, "x" * 49), (3, 1), (4, 7), (5, "\x1b"), (6, []),
     (7, "true"), (8, -1), (9, "now"), (10, 0.5), (11, "x" * 1000)],
)  # fmt: skip
def test_a_row_that_no_worker_of_ours_writes_is_refused(position, value):
    row = list(SOUND)
    row[position] = value

    with pytest.raises(ValueError, match=r"."):
        Ledger().add_row(row)


@pytest.mark.parametrize("row", [None, [], SOUND[1:], [*SOUND, 1]])
def test_a_row_of_another_length_is_refused(row):
    with pytest.raises(ValueError, match="12 values"):
        Ledger().add_row(row)
