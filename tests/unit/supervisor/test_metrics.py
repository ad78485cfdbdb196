from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pqproxy.supervisor.certificates import CertificateEnd
from pqproxy.supervisor.metrics import Exposition
from pqproxy.supervisor.reloading import History, Kind, Outcome
from pqproxy.telemetry.labels import ConnectResult, Decision, HandshakeResult
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from tests.support import pki
from tests.unit.supervisor.stubs import StubCrew


@pytest.fixture
def families():
    """What a scrape shows after one of everything, by name."""
    crew = StubCrew()
    crew.in_force.certificates = (CertificateEnd("hybrid", "leaf", pki.NOT_AFTER),)
    llm = crew.counters.listeners["llm"]
    llm.opened()
    llm.opened()
    llm.closed("tls", EndReason.FINISHED)
    llm.handshake("X25519MLKEM768", "mldsa65", None, False, HandshakeResult.COMPLETED, 0.002)
    llm.decision(Decision.REFUSED, ReasonCode.NO_PQ_GROUP)
    llm.client_bytes(1, 2)
    llm.upstream_bytes(3, 4)
    llm.upstream_connect(ConnectResult.CONNECTED, 0.03)
    llm.opened("stream")
    llm.tunnel_opened()
    llm.tunnel_opened()
    llm.tunnel_closed(TunnelEnd.PEER_LEFT)
    llm.tunnel_buffered = 4096
    llm.round_trip(0.0002)
    reloads = History(last_success=1000.0)
    reloads.add(Outcome(Kind.SIGNAL, 2000.0))
    reloads.add(Outcome(Kind.CONTROL, 3000.0, problems=("no",)))
    text = Exposition(crew, reloads).text().decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family):
    return {tuple(sorted(one.labels.items())): one.value for one in family.samples}


def test_names_types_and_labels_are_the_published_ones(families):
    """Alert rules and dashboards are written against this list: add to it, rename nothing."""
    shown = sorted(
        " ".join(
            [name, family.type, *sorted({label for one in family.samples for label in one.labels})]
        )
        for name, family in families.items()
    )

    assert shown == Path(__file__).with_name("metric_names.txt").read_text().splitlines()


def test_every_metric_has_a_help_text(families):
    assert all(family.documentation.endswith(".") for family in families.values())


def test_counts_reach_their_series(families):
    assert families["pqproxy_handshakes"].samples[0].labels == {
        "listener": "llm",
        "group": "X25519MLKEM768",
        "signature": "mldsa65",
        "peer_signature": "none",
        "resumed": "false",
        "result": "completed",
    }
    assert families["pqproxy_listener_info"].samples[0].labels == {
        "listener": "llm",
        "role": "ingress",
        "policy": "require",
        "policy_origin": "default",
        "authentication": "any",
    }
    received = values(families["pqproxy_received_bytes"])
    sent = values(families["pqproxy_sent_bytes"])
    assert received == {
        (("leg", "client"), ("listener", "llm")): 1,
        (("leg", "upstream"), ("listener", "llm")): 3,
    }
    assert sent == {
        (("leg", "client"), ("listener", "llm")): 2,
        (("leg", "upstream"), ("listener", "llm")): 4,
    }
    assert values(families["pqproxy_connections_active"]) == {
        (("listener", "llm"), ("transport", "stream")): 1,
        (("listener", "llm"), ("transport", "tls")): 1,
    }
    assert values(families["pqproxy_worker_restarts"]) == {(): 2}
    assert values(families["pqproxy_reloads"]) == {
        (("kind", "control"), ("result", "failure")): 1,
        (("kind", "control"), ("result", "success")): 0,
        (("kind", "files"), ("result", "failure")): 0,
        (("kind", "files"), ("result", "success")): 0,
        (("kind", "signal"), ("result", "failure")): 0,
        (("kind", "signal"), ("result", "success")): 1,
    }
    assert values(families["pqproxy_reload_last_success_timestamp_seconds"]) == {(): 2000.0}
    assert values(families["pqproxy_certificate_not_after_timestamp_seconds"]) == {
        (("identity", "hybrid"), ("role", "leaf")): pki.NOT_AFTER.timestamp()
    }


def test_tunnels_reach_their_series(families):
    llm = ("listener", "llm")
    closes = families["pqproxy_tunnel_closes"]
    round_trips = families["pqproxy_tunnel_round_trip_seconds"].samples

    assert values(families["pqproxy_tunnels_active"]) == {(llm,): 1}
    assert values(families["pqproxy_tunnel_streams_active"]) == {(llm,): 1}
    assert values(families["pqproxy_tunnel_buffered_bytes"]) == {(llm,): 4096}
    assert values(closes) == {(llm, ("reason", "peer_left")): 1}
    assert {one.labels.get("le"): one.value for one in round_trips}["0.00025"] == 1


def test_buckets_of_a_histogram_are_cumulative(families):
    samples = families["pqproxy_upstream_connect_duration_seconds"].samples
    buckets = {one.labels["le"]: one.value for one in samples if one.name.endswith("_bucket")}

    assert (buckets["0.025"], buckets["0.05"], buckets["10.0"], buckets["+Inf"]) == (0, 1, 1, 1)
