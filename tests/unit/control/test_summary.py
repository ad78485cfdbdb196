from datetime import UTC, datetime, timedelta

import pytest

from pqproxy.control.summary import drain_line, is_ready, lasting, summary

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def handshakes(*rows):
    return [{"group": group, "result": result, "count": n} for group, result, n in rows]


def listener(**changes):
    return {
        "name": "llm",
        "role": "ingress",
        "listen": ["127.0.0.1:8443"],
        "policy": "require",
        "connections_active": 3,
        "connections_ended": 40,
        "handshakes": [],
        "decisions": [],
        **changes,
    }


def status(**changes):
    return {
        "version": "0.1.0",
        "pid": 47,
        "uptime_seconds": 3723.5,
        "draining": False,
        "ready": True,
        "worker_restarts": 0,
        "workers": [{"pid": 48, "ready": True, "lag_seconds": 0.0}],
        "listeners": [listener()],
        "certificates": [],
        **changes,
    }


def lines(**changes):
    return list(summary(status(**changes), NOW))


def test_the_first_line_says_what_runs_and_how_it_is():
    assert lines()[0] == "pqproxy 0.1.0  ready, process 47, up 1 h 2 min"
    assert "draining" in lines(draining=True)[0]
    assert "starting" in lines(ready=False)[0]


def test_workers_that_died_are_pointed_out():
    assert "1 of 1 ready, 2 died: see the log" in "\n".join(lines(worker_restarts=2))


def test_a_worker_that_is_not_there_counts_as_one_that_is_not_ready():
    """One that dies again and again is absent most of the time: `1 of 1 ready` would hide it."""
    assert "1 of 2 ready" in "\n".join(lines(workers_wanted=2))


def test_the_last_reload_is_told_with_what_was_wrong():
    """The old configuration is in force then, and nothing else in the summary shows that."""
    good = {"at": "2026-01-01T10:00:00+00:00", "summary": "llm changed", "problems": []}
    bad = {"at": "2026-01-01T10:00:00+00:00", "error": "it failed", "problems": ["p:1:1: x"]}

    assert lines(last_reload=good)[2] == "reload   2026-01-01 10:00:00 UTC: llm changed"
    renewed = good | {"kind": "files"}
    assert lines(last_reload=renewed)[2] == "renewal  2026-01-01 10:00:00 UTC: llm changed"
    assert lines(last_reload=bad)[2:4] == [
        "reload   2026-01-01 10:00:00 UTC: it failed",
        "  p:1:1: x",
    ]


def test_a_listener_that_a_reload_removed_says_so():
    assert "removed by a reload" in "\n".join(lines(listeners=[listener(listen=[], removed=True)]))


def test_a_listener_shows_the_share_of_post_quantum_handshakes():
    rows = handshakes(
        ("X25519MLKEM768", "completed", 2),
        ("x25519", "completed", 1),
        ("X25519MLKEM768", "completed", 1),
        ("none", "refused", 4),
    )

    text = "\n".join(lines(listeners=[listener(handshakes=rows)]))

    assert "4, 75.0 % post-quantum (X25519MLKEM768 3, x25519 1), 4 not completed" in text


def tunnels(**changes):
    return {
        "mode": "auto",
        "active": 2,
        "streams": 17,
        "buffered_bytes": 0,
        "round_trip_seconds": 0.00042,
        "closes": [{"reason": "replaced", "count": 3}, {"reason": "peer_left", "count": 4}],
        **changes,
    }


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            tunnels(),
            "2 up, with 17 connections, round trip 0.42 ms; ended: peer_left 4, replaced 3",
        ),
        (tunnels(active=0, closes=[], round_trip_seconds=None), "0 up"),
        (tunnels(mode="never", active=1, streams=1, closes=[]), "1 up, with 1 connection, "),
    ],
    ids=["busy", "none yet", "never since a reload"],
)
def test_tunnels_are_told_with_what_became_of_them(told, said):
    assert f"  tunnels      {said}" in "\n".join(lines(listeners=[listener(tunnels=told)]))


def test_an_endpoint_is_named_where_it_is_not_as_it_should_be():
    """Whoever looks why all is slow wants these alone."""
    rows = [
        {"address": "10.0.0.1:8443", "tunnels": 2, "plain": False, "why": None},
        {
            "address": "10.0.0.2:8443",
            "tunnels": 0,
            "plain": False,
            "why": "10.0.0.2:8443: connection refused",
        },
        {"address": "10.0.0.3:8443", "tunnels": 0, "plain": True, "why": None},
        {"address": "10.0.0.4:8443", "tunnels": 0, "plain": False, "why": None},
    ]

    said = lines(listeners=[listener(tunnels=tunnels(endpoints=rows))])

    assert [line for line in said if line.startswith("    ")] == [
        "    10.0.0.2:8443 is out: connection refused",
        "    10.0.0.3:8443 speaks no tunnels: a TLS connection for each connection",
        "    10.0.0.4:8443 has no tunnel yet",
    ]


@pytest.mark.parametrize("told", [{}, tunnels(mode="never", active=0, closes=[])])
def test_a_listener_without_tunnels_says_nothing_of_them(told):
    """So does an older pqproxy."""
    assert "tunnels" not in "\n".join(lines(listeners=[listener(tunnels=told)]))


@pytest.mark.parametrize(
    ("safe", "other", "share"),
    [(1, 0, "100 %"), (0, 1, "0 %"), (99999, 1, "99.9 %"), (1, 99999, "0.1 %")],
)
def test_one_exception_is_never_rounded_away(safe, other, share):
    """An operator who reads 100 % switches to require."""
    rows = handshakes(("X25519MLKEM768", "completed", safe), ("x25519", "completed", other))

    assert f" {share} post-quantum" in "\n".join(lines(listeners=[listener(handshakes=rows)]))


def test_refusals_are_told_by_reason_the_most_frequent_first():
    decisions = [
        {"decision": "refused", "reason": "untrusted", "count": 1},
        {"decision": "refused", "reason": "no_pq_group", "count": 7},
        {"decision": "would_refuse", "reason": "no_pq_group", "count": 2},
        {"decision": "accepted", "reason": "other", "count": 99},
    ]

    text = "\n".join(lines(listeners=[listener(decisions=decisions)]))

    assert "refused      no_pq_group 7, untrusted 1" in text
    assert "would refuse no_pq_group 2" in text


def test_a_policy_that_is_not_from_the_file_says_whence_it_came():
    text = "\n".join(lines(listeners=[listener(policy="prefer", policy_origin="environment")]))

    assert "prefer (from the environment)" in text


@pytest.mark.parametrize(
    ("left", "warning", "said"),
    [
        (timedelta(days=30), None, "(in 30 d)"),
        (timedelta(days=3), "it ends soon", "(in 3 d: renew it)"),
        (-timedelta(1), "it ends already", "(ENDED: renew it)"),
    ],
)
def test_certificates_say_when_they_end(left, warning, said):
    not_after = (NOW + left).isoformat()
    end = {"identity": "own", "role": "leaf", "not_after": not_after, "warning": warning}

    assert said in lines(certificates=[end])[-1]


def test_an_answer_of_another_version_is_shown_as_far_as_it_goes():
    assert list(summary({}, NOW)) == [
        "pqproxy ?  starting, process ?, up 0 s",
        "workers  0 of 0 ready",
    ]


@pytest.mark.parametrize(
    ("ready", "draining", "expected"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_ready_means_that_connections_are_welcome(ready, draining, expected):
    assert is_ready({"ready": ready, "draining": draining}) is expected


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (3600, "1 h"), (90061, "1 d 1 h"), (-5, "0 s")],
)
def test_durations_have_their_two_largest_units(seconds, said):
    assert lasting(seconds) == said


@pytest.mark.parametrize(
    ("drain", "line"),
    [
        (
            {"phase": "accepting", "connections": 1, "oldest_seconds": 65.2, "seconds_left": 4.4},
            "draining: 1 connection open, the oldest for 1 min 5 s;"
            " new ones are accepted for another 4 s",
        ),
        (
            {"phase": "finishing", "connections": 2, "oldest_seconds": None, "seconds_left": 20},
            "draining: 2 connections open; what is left in 20 s is reset",
        ),
        (
            {"phase": "over", "finished": 2, "reset": 0},
            "drained: 2 connections finished, nothing was reset",
        ),
        (
            {"phase": "over", "finished": 2, "reset": 1},
            "drain was forced: 1 connection reset, 2 finished",
        ),
    ],
)
def test_a_drain_says_how_far_it_is(drain, line):
    assert drain_line(drain) == line


def test_a_summary_tells_of_a_drain():
    drain = {"phase": "finishing", "connections": 2, "oldest_seconds": 3.0, "seconds_left": 20}

    lines = list(summary({"draining": True, "drain": drain}, NOW))

    assert lines[1] == drain_line(drain)


def test_connections_that_were_cut_for_their_peers_are_told():
    """A revocation that ended nobody, or half the fleet, is what its author wants to see."""
    ends = [
        {"transport": "tls", "end_reason": reason, "count": count}
        for reason, count in (("finished", 40), ("expired", 1), ("revoked", 2))
    ]

    assert "  cut off      revoked 2, expired 1" in lines(listeners=[listener(ends=ends)])
    assert not any("cut off" in line for line in lines(listeners=[listener(ends=ends[:1])]))


def test_what_is_demanded_of_peers_is_said_where_it_is_more_than_nothing():
    """An older pqproxy says nothing of it."""
    said = lines(listeners=[listener(authentication="hybrid")])

    assert "  demands      authentication: hybrid" in said
    for silent in (listener(authentication="any"), listener()):
        assert not any("authentication" in line for line in lines(listeners=[silent]))
