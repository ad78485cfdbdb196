from pqproxy.proxy.overload import Overload
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.labels import Decision
from pqproxy.telemetry.reasons import ReasonCode


def test_each_is_counted_and_a_line_now_and_then_says_how_many(lines):
    """A flood of connections is to fill no disk."""
    counters = ListenerCounters("llm", "ingress")
    now = 100.0
    overload = Overload("llm", counters, lambda: now)
    for _ in range(5):
        overload.note("10.0.0.1:7", "connections: 3")
    assert [line.detail for line in lines] == ["limits.connections: 3 is reached"]
    now += 10.0
    overload.note("10.0.0.2:8", "connections: 3")

    assert lines[1].detail.endswith("; 4 more were turned away since the last such line")
    assert (lines[1].peer, lines[1].reason) == ("10.0.0.2:8", ReasonCode.OVERLOAD)
    assert counters.decisions.counts == {(Decision.REFUSED, ReasonCode.OVERLOAD): 6}
