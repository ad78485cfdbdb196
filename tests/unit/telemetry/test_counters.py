import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.telemetry.callers import Caller
from pqproxy.telemetry.counters import DURATION_BUCKETS, Histogram, ListenerCounters, WorkerCounters
from pqproxy.telemetry.endpoints import Endpoint
from pqproxy.telemetry.labels import ConnectResult, Decision, HandshakeResult
from pqproxy.telemetry.ledger import Entry, Protection
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd


def busy_worker():
    """A worker that has counted something of everything."""
    worker = WorkerCounters({"llm": "ingress"})
    llm = worker.listeners["llm"]
    llm.opened("tls")
    llm.opened("tls")
    llm.closed("tls", EndReason.FINISHED)
    llm.handshake(
        "X25519MLKEM768",
        "ecdsa_secp256r1_sha256",
        "mldsa65",
        False,
        HandshakeResult.COMPLETED,
        0.003,
    )
    llm.decision(Decision.ACCEPTED)
    llm.decision(Decision.REFUSED, ReasonCode.NO_PQ_GROUP)
    llm.client_bytes(10, 20)
    llm.upstream_bytes(30, 40)
    llm.upstream_connect(ConnectResult.CONNECTED, 0.02)
    llm.tunnel_opened()
    llm.tunnel_opened()
    llm.tunnel_closed(TunnelEnd.REPLACED)
    llm.round_trip(0.0004)
    llm.tunnel_buffered = 4096
    llm.endpoints.replace({"192.0.2.9:8443": Endpoint(tunnels=1)})
    return worker


def test_a_snapshot_survives_json_and_merges_to_the_same_counts():
    snapshot = busy_worker().snapshot()
    totals = WorkerCounters({"llm": "ingress"})

    totals.merge(json.loads(json.dumps(snapshot)))

    assert totals.snapshot() == snapshot


def test_snapshots_of_two_workers_add_up():
    snapshot = busy_worker().snapshot()
    totals = WorkerCounters({"llm": "ingress"})

    totals.merge(snapshot)
    totals.merge(snapshot)

    llm = totals.listeners["llm"]
    assert llm.active == {"tls": 2, "stream": 0}
    assert llm.connections.counts == {("tls", "finished"): 2}
    assert (llm.client_received, llm.client_sent) == (20, 40)
    assert (llm.upstream_received, llm.upstream_sent) == (60, 80)
    assert sum(llm.handshake_seconds.buckets) == 2
    assert llm.connect_seconds.total == pytest.approx(0.04)
    assert (llm.tunnels, llm.tunnel_buffered) == (2, 8192)
    assert llm.endpoints.rows == {"192.0.2.9:8443": Endpoint(tunnels=2)}
    assert llm.tunnel_closes.counts == {("replaced",): 2}
    assert llm.round_trip_seconds.mean == pytest.approx(0.0004)


def test_a_label_that_nobody_knows_is_counted_as_other():
    """A compromised worker cannot fill the memory of whoever scrapes the metrics."""
    snapshot = busy_worker().snapshot()
    snapshot["llm"]["handshakes"] = [["evil", "evil", "evil", "evil", "evil", 3]]
    totals = WorkerCounters({"llm": "ingress"})

    totals.merge(snapshot)

    assert totals.listeners["llm"].handshakes.counts == {("other",) * 5: 3}


def test_listeners_that_nobody_configured_are_ignored():
    totals = WorkerCounters({"llm": "ingress"})

    totals.merge({"made-up": busy_worker().snapshot()["llm"]})

    assert list(totals.listeners) == ["llm"]


BREAKAGES = [
    ("active", []),
    ("active", {"tls": -1}),
    ("bytes", [1, 2, 3]),
    ("bytes", [1, 2, 3, True]),
    ("bytes", [1, 2, 3, 2**63]),
    ("connections", None),
    ("connections", [["tls", 1]]),
    ("decisions", [["accepted", "none", "1"]]),
    ("connect_seconds", {"buckets": [0], "total": 0}),
    ("connect_seconds", {"buckets": [0] * (len(DURATION_BUCKETS) + 1), "total": float("nan")}),
    ("tunnels", [1]),
    ("tunnels", [-1, 0]),
    ("endpoints", [["192.0.2.9:8443"]]),
    ("tunnel_closes", [["replaced"]]),
    ("round_trip_seconds", {"buckets": [0], "total": 0}),
    ("last_dial", [1.0]),
    ("last_dial", ["soon", None]),
]


@pytest.mark.parametrize(("name", "value"), BREAKAGES)
def test_a_malformed_snapshot_is_refused(name, value):
    snapshot = copy.deepcopy(busy_worker().snapshot())
    snapshot["llm"][name] = value

    with pytest.raises(ValueError):  # noqa: PT011 - the caller treats them all alike
        WorkerCounters({"llm": "ingress"}).merge(snapshot)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted(busy_worker().snapshot()["llm"])), JSON_VALUES)
def test_any_snapshot_is_merged_or_refused(name, value):
    """A worker that has been taken over can be refused; it can never crash the supervisor."""
    snapshot = copy.deepcopy(busy_worker().snapshot())
    snapshot["llm"][name] = value
    totals = WorkerCounters({"llm": "ingress"})

    try:
        totals.merge(snapshot)
    except ValueError:
        return
    assert totals.snapshot().keys() == {"llm"}


def test_connections_of_a_dead_worker_count_as_ended():
    worker = busy_worker()

    worker.end_all(EndReason.INTERNAL_ERROR)

    llm = worker.listeners["llm"]
    assert llm.active == {"tls": 0, "stream": 0}
    assert llm.connections.counts == {("tls", "finished"): 1, ("tls", "internal_error"): 1}
    assert (llm.tunnels, llm.tunnel_buffered) == (0, 0)
    assert llm.endpoints.rows == {}
    assert llm.tunnel_closes.counts == {("replaced",): 1, ("internal_error",): 1}


def test_a_connection_that_a_tunnel_carries_is_counted_as_a_stream():
    """When it is accepted, nobody knows yet what will carry it."""
    llm = ListenerCounters("llm", "egress")
    llm.opened()

    llm.became_stream()
    assert llm.active == {"tls": 0, "stream": 1}
    llm.closed("stream", EndReason.FINISHED)
    assert llm.active == {"tls": 0, "stream": 0}
    assert llm.connections.counts == {("stream", "finished"): 1}


def test_a_mean_of_nothing_is_none():
    assert Histogram().mean is None


def test_only_completed_handshakes_are_timed():
    """A thousand timeouts of 10 s would hide how fast we are."""
    llm = ListenerCounters("llm", "ingress")

    llm.handshake(None, None, None, False, HandshakeResult.TIMEOUT, 10.0)

    assert llm.handshakes.counts == {("none", "none", "none", "false", "timeout"): 1}
    assert sum(llm.handshake_seconds.buckets) == 0


def test_the_time_of_the_last_dial_is_kept_for_success_and_failure():
    now = 100.0
    llm = ListenerCounters("llm", "ingress", clock=lambda: now)
    llm.upstream_connect(ConnectResult.CONNECTED, 0.1)
    now = 105.0
    llm.upstream_connect(ConnectResult.REFUSED, 0.1)

    assert (llm.last_dial_succeeded, llm.last_dial_failed) == (100.0, 105.0)


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.001, 0), (0.0011, 1), (10.0, 12), (10.1, 13)]
)
def test_a_duration_counts_in_the_first_bucket_that_holds_it(seconds, bucket):
    histogram = Histogram()

    histogram.observe(seconds)

    assert histogram.buckets.index(1) == bucket
    assert histogram.total == seconds


def test_evidence_is_reported_once_and_is_no_part_of_a_snapshot():
    """Snapshots are sums that may be sent again; evidence is sent as it grows."""
    counters = WorkerCounters({"llm": "ingress"})
    before = counters.snapshot()
    protection = Protection("x25519", False, "suite", None, None, False)
    entry = Entry(Caller.of(None, "10.0.0.1"), protection)
    counters.listeners["llm"].evidence.ledger.note(entry, "10.0.0.1", 1.0)

    assert counters.snapshot() == before
    assert len(counters.take_evidence()["llm"]["ledger"]) == 1
    assert counters.take_evidence() == {}


def test_a_listener_that_is_new_is_counted_from_then_on():
    counters = WorkerCounters({"llm": "ingress"})
    llm = counters.listeners["llm"]
    counters.cover({"llm": "egress", "new": "ingress"})

    assert counters.listeners["llm"] is llm
    assert (llm.role, counters.listeners["new"].role) == ("egress", "ingress")


def test_what_others_do_not_count_is_what_is_left():
    both = WorkerCounters({"llm": "ingress", "gone": "ingress"})

    assert list(both.without(WorkerCounters({"llm": "ingress"})).listeners) == ["gone"]
    assert list(both.listeners) == ["llm", "gone"]
