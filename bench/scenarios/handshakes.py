"""Scenario 7: hybrid handshakes, of each side apart.

The other side of each is OpenSSL, the same for all. nginx and HAProxy are left out: Debian's know
no post-quantum key exchange.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.contenders import CONTENDERS
from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import GROUP, Pair
from bench.processes import LOAD_CORE, PROXY_CORES, free_port, module, server
from bench.procfs import cpu_seconds
from bench.results import Bar
from bench.scenario import Effort, Row, Scenario, sample
from bench.tls_server import FULL, RESUMED

QUIET, PATIENCE = 0.5, 10.0  # seconds
IDLE = 0.01  # seconds of CPU: less is a timer, not a start
HYBRID = ("pqproxy", "envoy")
BAR = (Bar(Metric.CPU, 2.0),)


ABOUT = """\
One side alone, from accept to close, the plaintext connection included; the other side is OpenSSL,
the same for all. A full handshake at the egress is with a server that takes no tickets of its own.
nginx and HAProxy have no hybrid handshake to measure. Of every process the first second is not
counted. This is what tunnels save: a pair of sidecars shakes hands about once an hour, whoever
comes and goes.
"""


def at_the_ingress(kind: str, *, mutual: bool) -> Callable[[Pair, Effort], Sample]:
    """Handshakes with OpenSSL as the client, from accept to close."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        plan, files = pair.plan, [pair.plan.certificates.root]
        if mutual:
            client = plan.certificates.client
            files += [client.certificate, client.key]
        port = plan.mutual if mutual else plan.anonymous
        load = Load("bench.handshakes", [kind, port, effort.seconds, GROUP, *files])
        return _counted(pair.ingress, load)

    return measure


def at_the_egress(kind: bytes) -> Callable[[Pair, Effort], Sample]:
    """Handshakes with OpenSSL as the server, which wants a certificate; from accept to close."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        with _egress_alone(pair, tickets=kind == RESUMED) as (egress, entry):
            load = Load("bench.openings", [entry, effort.seconds, kind.decode()])
            return _counted(egress, load)

    return measure


@contextmanager
def _egress_alone(pair: Pair, *, tickets: bool) -> Iterator[tuple[int, int]]:
    """Another egress as the pair's, in front of OpenSSL: its process and its port."""
    directory = Path(tempfile.mkdtemp(dir=pair.plan.directory))
    plan = replace(pair.plan, directory=directory, entry=free_port(), mutual=free_port())
    given, shown = plan.certificates, plan.certificates.server
    answer = "yes" if tickets else "no"
    argv = module("bench.tls_server", plan.mutual, answer, given.root, shown.certificate, shown.key)
    with ExitStack() as stack:
        log = directory / "server.log"
        stack.enter_context(server(argv, cores=[LOAD_CORE], ports=[plan.mutual], log=log))
        argv, log = CONTENDERS[pair.contender].egress(plan), directory / "egress.log"
        started = server(argv, cores=PROXY_CORES[:1], ports=[plan.entry], log=log)
        egress = stack.enter_context(started).pid
        _settle(egress)
        yield egress, plan.entry


def _settle(root: int) -> None:
    """Wait until a start is over: a port is bound before everything behind it is loaded."""
    patient = time.monotonic() + PATIENCE
    used, before = cpu_seconds([root]), -1.0
    while used - before > IDLE and time.monotonic() < patient:
        time.sleep(QUIET)
        used, before = cpu_seconds([root]), used


def _counted(root: int, load: Load) -> Sample:
    """One side alone."""
    with load:
        before = cpu_seconds([root])
        done = load.run()
        figures = dict(sample(done, cpu_seconds([root]) - before).figures)
    del figures[Metric.EGRESS_CPU], figures[Metric.INGRESS_CPU]
    return Sample(figures)


HANDSHAKES = Scenario(
    7,
    "handshakes",
    "Hybrid handshakes, one side alone",
    tuple(
        Row(name, title, "handshake", measure, bars, HYBRID)
        for name, title, measure, bars in (
            ("server-full", "ingress, full", at_the_ingress("full", mutual=False), BAR),
            (
                "server-mutual",
                "ingress, full, with a client certificate",
                at_the_ingress("full", mutual=True),
                BAR,
            ),
            ("server-resumed", "ingress, resumed", at_the_ingress("resumed", mutual=False), ()),
            ("client-full", "egress, full, with a client certificate", at_the_egress(FULL), BAR),
            ("client-resumed", "egress, resumed", at_the_egress(RESUMED), ()),
        )
    ),
    about=ABOUT,
)
