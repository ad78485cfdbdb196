"""What is written down of a tunnel that was up."""

from pqproxy.proxy.tunnel_record import TunnelRecord
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import TunnelEnd

from .tunnels import Tunnels


def test_it_is_counted_and_logged_at_both_ends_of_its_life(world, lines):
    tunnels = Tunnels(world)
    counters = ListenerCounters("to-llm", "egress")
    visit = Visit("to-llm", "", None, 0.0, upstream="llm:8443")
    record = TunnelRecord(visit, tunnels.egress, counters)
    assert counters.tunnels == 1
    tunnels.open()
    before = counters.round_trip_seconds.total
    tunnels.egress.on_round_trip(0.25)
    record.ended(TunnelEnd.TIMEOUT, "no sign of life")

    up, closed = lines
    assert (up.tunnel, up.upstream, up.peer) == (tunnels.egress.name, "llm:8443", None)
    assert (closed.end_reason, closed.detail, closed.streams) == (
        TunnelEnd.TIMEOUT,
        "no sign of life",
        1,
    )
    assert counters.tunnels == 0
    assert counters.round_trip_seconds.total == before + 0.25
