import pytest

from pqproxy.probing.pieces import Cut, pieces
from tests.support import hostile
from tests.support.loopback import Endpoint

HELLO = Endpoint.client().take()


def test_a_whole_hello_is_left_alone():
    assert pieces(HELLO, Cut.WHOLE) == [HELLO]


def test_segments_are_the_same_bytes_in_parts():
    found = pieces(HELLO, Cut.SEGMENTS)

    assert len(found) == 3
    assert b"".join(found) == HELLO


def test_records_hold_the_same_message_in_parts():
    (stream,) = pieces(HELLO, Cut.RECORDS)
    records = hostile.records(stream)

    assert len(records) == 3
    assert b"".join(record[5:] for record in records) == HELLO[5:]
    assert {bytes(record[:3]) for record in records} == {HELLO[:3]}


@pytest.mark.parametrize("cut", Cut)
def test_a_server_of_ours_takes_every_cut(cut):
    server = Endpoint.server(hostile.leaf())
    for piece in pieces(Endpoint.client().take(), cut):
        server.feed(piece)

    assert server.take()
    assert server.failure is None
