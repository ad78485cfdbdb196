from dataclasses import replace

import pytest

from pqproxy.config.values import SERIAL_BYTES, RevokedSerials, TrustFiles
from pqproxy.supervisor.believed_again import believed_again
from tests.unit.supervisor.harness import settings

MESH = TrustFiles("mesh", (b"root",), "mesh.pem")


def listed(*numbers, this_update=1000.0, authority="CN=root"):
    serials = b"".join(number.to_bytes(SERIAL_BYTES, "big") for number in sorted(numbers))
    return RevokedSerials(authority, authority.encode(), serials, None, this_update)


def told(before, after, **changes):
    """What is said when the lists of a trust set become others."""
    pair = (replace(MESH, revoked=before), replace(MESH, revoked=after, **changes))
    return list(believed_again(*(settings(trust=(trust,)) for trust in pair)))


def test_an_older_list_is_told_with_how_many_it_lets_in():
    """Somebody put it back out of a backup."""
    said = told((listed(1, 2, 3, this_update=86400.0),), (listed(3, this_update=0.0),))

    assert said == [
        "trust mesh: the revocation list of CN=root is of 1970-01-01 00:00 UTC, older than the one"
        " before (1970-01-02 00:00 UTC): 2 certificates are believed again"
    ]


def test_a_list_that_is_gone_is_told():
    assert told((listed(1), listed(2, authority="CN=other")), (listed(1),)) == [
        "trust mesh: there is no revocation list of CN=other any more: 1 certificate is believed"
        " again"
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((listed(1, 2),), (listed(2, this_update=2000.0),)),  # one has ended: the newest word
        ((listed(1, 2),), (listed(1, 2, 3, this_update=0.0),)),  # older, and nobody is let in
        ((listed(),), ()),  # it named nobody
        ((), (listed(1),)),
    ],
)
def test_nothing_is_told_where_nobody_is_let_in_by_mistake(before, after):
    assert told(before, after) == []


def test_a_trust_set_that_is_removed_lets_nobody_in():
    assert told((listed(1),), (), name="another") == []
