"""Every end has a word on the wire, and every word of a peer an end."""

import pytest

from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.tunnel_codes import (
    code_for_tunnel_end,
    describe,
    end_for_reset,
    reset_for_end,
    stream_end_for,
    tunnel_end_for,
)
from pqproxy.telemetry.reasons import EndReason, TunnelEnd
from pqproxy.tunnel import ErrorCode, Reset


@pytest.mark.parametrize("reason", [each for each in EndReason if each != "finished"])
def test_every_end_is_told_by_its_word(reason):
    why = reset_for_end(reason)

    assert why.text == reason
    assert why.code != ErrorCode.NONE


@pytest.mark.parametrize("code", [*ErrorCode, 4711])
def test_whatever_a_peer_says_is_an_end_and_a_word(code):
    assert end_for_reset(Reset(code), CLIENT) in (EndReason.CLIENT_LEFT, EndReason.CLIENT_ALERT)
    assert end_for_reset(Reset(code), UPSTREAM) in (
        EndReason.UPSTREAM_LEFT,
        EndReason.UPSTREAM_ALERT,
        EndReason.UPSTREAM_DOWN,
    )
    assert describe(code, "")


def test_a_code_to_come_is_shown_as_a_number():
    assert describe(4711, "why") == "code 4711: why"
    assert describe(ErrorCode.OVERLOAD, "overload") == "overload"


def test_who_leaves_leaves_whatever_else_went_wrong():
    assert end_for_reset(Reset(ErrorCode.CANCELLED), CLIENT) is EndReason.CLIENT_LEFT
    assert end_for_reset(Reset(ErrorCode.TIMEOUT), CLIENT) is EndReason.CLIENT_ALERT


@pytest.mark.parametrize("end", TunnelEnd)
def test_every_end_of_a_tunnel_ends_its_streams(end):
    assert stream_end_for(end, CLIENT) is not EndReason.FINISHED
    assert isinstance(code_for_tunnel_end(end), ErrorCode)


def test_a_lost_connection_is_a_peer_that_left():
    assert tunnel_end_for(EndReason.UPSTREAM_LEFT) is TunnelEnd.PEER_LEFT
    assert tunnel_end_for(EndReason.REVOKED) is TunnelEnd.REVOKED
    assert stream_end_for(TunnelEnd.PEER_LEFT, UPSTREAM) is EndReason.UPSTREAM_LEFT
    assert stream_end_for(TunnelEnd.REVOKED, CLIENT) is EndReason.REVOKED
