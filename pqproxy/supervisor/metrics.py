"""Counters as Prometheus text.

The names are in docs and in people's alert rules: add, do not rename. Label sets are closed
(`telemetry/labels.py`); nothing here is a ratio, PromQL does that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from pqproxy.config.values import Settings
from pqproxy.crypto import liboqs_version, openssl_version
from pqproxy.supervisor.certificates import CertificateEnd
from pqproxy.supervisor.crew import Crew
from pqproxy.supervisor.reloading import History
from pqproxy.telemetry.counters import Histogram, ListenerCounters, Tally
from pqproxy.version import VERSION

# Of what /status and /metrics both tell.
HANDSHAKE_LABELS = ["group", "signature", "peer_signature", "resumed", "result"]
DECISION_LABELS = ["decision", "reason"]
END_LABELS = ["transport", "end_reason"]
CLOSE_LABELS = ["reason"]


@dataclass(frozen=True, slots=True)
class Exposition(Collector):
    """Everything that one scrape shows, read when it is scraped."""

    crew: Crew
    reloads: History

    def text(self) -> bytes:
        """The exposition format that every Prometheus reads."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """All families (prometheus_client's callback)."""
        yield _build_info()
        yield _listener_info(self.crew.in_force.settings)
        counted = list(self.crew.totals().listeners.values())
        yield from _traffic(counted)
        yield from _tunnels(counted)
        yield from self._processes()
        yield _certificates(self.crew.in_force.certificates)
        yield from _reloads(self.reloads)

    def _processes(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "pqproxy_draining",
            "1 while connections are finished before the end.",
            value=int(self.crew.draining),
        )
        yield CounterMetricFamily(
            "pqproxy_worker_restarts",
            "Workers that died and were replaced.",
            value=self.crew.restarts,
        )
        lag = GaugeMetricFamily(
            "pqproxy_event_loop_lag_seconds",
            "How long the worker's event loop took to answer the supervisor.",
            labels=["worker"],
        )
        for index, worker in enumerate(self.crew.workers):
            if worker is not None:
                lag.add_metric([str(index)], worker.lag)
        yield lag


def _build_info() -> Metric:
    info = GaugeMetricFamily(
        "pqproxy_build_info",
        "What runs: always 1.",
        labels=["version", "openssl", "liboqs"],
    )
    info.add_metric([VERSION, openssl_version(), liboqs_version() or "none"], 1)
    return info


def _listener_info(settings: Settings) -> Metric:
    info = GaugeMetricFamily(
        "pqproxy_listener_info",
        "What each listener demands, and who set its policy: always 1.",
        labels=["listener", "role", "policy", "policy_origin", "authentication"],
    )
    for role, listeners in (("ingress", settings.ingress), ("egress", settings.egress)):
        for listener in listeners:
            origin, demand = listener.policy_origin, listener.authentication
            info.add_metric([listener.name, role, listener.policy, origin, demand], 1)
    return info


def _traffic(counted: list[ListenerCounters]) -> Iterator[Metric]:
    yield _tally(
        "pqproxy_connections",
        "Connections that ended.",
        END_LABELS,
        {one.name: one.connections for one in counted},
    )
    yield _active(counted)
    yield _tally(
        "pqproxy_handshakes",
        "TLS handshakes, by what was negotiated.",
        HANDSHAKE_LABELS,
        {one.name: one.handshakes for one in counted},
    )
    yield _durations(
        "pqproxy_handshake_duration_seconds",
        "Completed TLS handshakes.",
        {one.name: one.handshake_seconds for one in counted},
    )
    yield _tally(
        "pqproxy_policy_decisions",
        "What policy said about peers, and why.",
        DECISION_LABELS,
        {one.name: one.decisions for one in counted},
    )
    yield from _bytes(counted)
    yield _tally(
        "pqproxy_upstream_connects",
        "Attempts to reach the upstream.",
        ["result"],
        {one.name: one.connects for one in counted},
    )
    yield _durations(
        "pqproxy_upstream_connect_duration_seconds",
        "Successful connects to the upstream.",
        {one.name: one.connect_seconds for one in counted},
    )


def _tunnels(counted: list[ListenerCounters]) -> Iterator[Metric]:
    yield _gauge(
        "pqproxy_tunnels_active",
        "Tunnels that are up now.",
        {one.name: one.tunnels for one in counted},
    )
    yield _gauge(
        "pqproxy_tunnel_streams_active",
        "Connections that tunnels carry now.",
        {one.name: one.active["stream"] for one in counted},
    )
    yield _durations(
        "pqproxy_tunnel_round_trip_seconds",
        "How long the other sidecar took to answer a PING.",
        {one.name: one.round_trip_seconds for one in counted},
    )
    yield _tally(
        "pqproxy_tunnel_closes",
        "Tunnels that ended, and why.",
        CLOSE_LABELS,
        {one.name: one.tunnel_closes for one in counted},
    )
    yield _gauge(
        "pqproxy_tunnel_buffered_bytes",
        "Bytes that tunnels hold for streams whose readers are slow.",
        {one.name: one.tunnel_buffered for one in counted},
    )


def _gauge(name: str, documentation: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["listener"])
    for listener, value in values.items():
        family.add_metric([listener], value)
    return family


def _tally(name: str, documentation: str, labels: list[str], tallies: dict[str, Tally]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=["listener", *labels])
    for listener, tally in tallies.items():
        for values, count in tally.counts.items():
            family.add_metric([listener, *values], count)
    return family


def _active(listeners: list[ListenerCounters]) -> Metric:
    family = GaugeMetricFamily(
        "pqproxy_connections_active", "Connections open now.", labels=["listener", "transport"]
    )
    for one in listeners:
        for transport, count in one.active.items():
            family.add_metric([one.name, transport], count)
    return family


def _bytes(listeners: list[ListenerCounters]) -> Iterator[Metric]:
    labels = ["listener", "leg"]
    received = CounterMetricFamily(
        "pqproxy_received_bytes", "Payload received, without TLS.", labels=labels
    )
    sent = CounterMetricFamily("pqproxy_sent_bytes", "Payload sent, without TLS.", labels=labels)
    for one in listeners:
        received.add_metric([one.name, "client"], one.client_received)
        received.add_metric([one.name, "upstream"], one.upstream_received)
        sent.add_metric([one.name, "client"], one.client_sent)
        sent.add_metric([one.name, "upstream"], one.upstream_sent)
    yield received
    yield sent


def _durations(name: str, documentation: str, histograms: dict[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, documentation, labels=["listener"])
    for listener, histogram in histograms.items():
        family.add_metric([listener], list(_cumulative(histogram)), histogram.total)
    return family


def _cumulative(histogram: Histogram) -> Iterator[tuple[str, float]]:
    """Prometheus counts what is at most a bound; we count what is between two."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    so_far = 0
    for bound, count in zip(bounds, histogram.buckets, strict=True):
        so_far += count
        yield bound, so_far


def _certificates(ends: tuple[CertificateEnd, ...]) -> Metric:
    family = GaugeMetricFamily(
        "pqproxy_certificate_not_after_timestamp_seconds",
        "When the first certificate of this name and role ends, or a newer revocation list is due.",
        labels=["identity", "role"],
    )
    for end in ends:
        family.add_metric([end.identity, end.role], end.not_after.timestamp())
    return family


def _reloads(reloads: History) -> Iterator[Metric]:
    total = CounterMetricFamily(
        "pqproxy_reloads",
        "Reloads, by who asked: signal, control, or nobody, but files have changed.",
        labels=["kind", "result"],
    )
    for labels, count in reloads.counts.items():
        total.add_metric(list(labels), count)
    yield total
    yield GaugeMetricFamily(
        "pqproxy_reload_last_success_timestamp_seconds",
        "When the configuration in force, or its files, were read last.",
        value=reloads.last_success,
    )
