"""One check: every section in its order, or again and again until nothing fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pqproxy.checking.algorithms import check_algorithms
from pqproxy.checking.certificates import check_certificates
from pqproxy.checking.configuration import check_configuration
from pqproxy.checking.demands import check_demands
from pqproxy.checking.findings import Finding, Level, Report, Section
from pqproxy.checking.host import check_host
from pqproxy.checking.listeners import check_listeners
from pqproxy.checking.peers import check_peers
from pqproxy.checking.subject import Subject, read_subject
from pqproxy.checking.upstreams import check_upstreams
from pqproxy.config.problems import ConfigError

BETWEEN = 1.0  # seconds between two attempts


@dataclass(frozen=True, slots=True)
class Consent:
    """Whom a check may connect to."""

    peers: bool = True  # a handshake with each endpoint of each egress
    upstreams: bool = False  # a connection to each upstream


async def check(subject: Subject, consent: Consent) -> Report:
    """Look at everything once."""
    sections = [
        _section("config", check_configuration(subject)),
        _section("certificates", chain(check_certificates(subject), check_demands(subject))),
        _section("crypto", check_algorithms(subject)),
        _section("listeners", check_listeners(subject)),
        await _asked("upstream", check_upstreams(subject, consent.upstreams)),
    ]
    if consent.peers:
        sections.append(await _asked("peers", check_peers(subject)))
    sections.append(_section("host", check_host(subject)))
    kept = tuple(section for section in sections if section.findings)
    return Report(subject.parsed.source, kept)


def check_until_good(
    path: Path,
    consent: Consent,
    patience: float,
    waiting: Callable[[tuple[str, ...]], None],
) -> Report:
    """Check a configuration until nothing fails or so many seconds are over.

    The file is read anew each time, with those that it names, which may come late. `waiting` is
    told what fails whenever that has changed. Raises ConfigError.
    """
    deadline = time.monotonic() + patience
    told: tuple[str, ...] = ()
    while True:
        left = deadline - time.monotonic()
        try:
            report = asyncio.run(check(read_subject(path), consent))
            if report.verdict is not Level.FAILURE or left <= 0:
                return report
            failures = report.failures()
        except ConfigError as error:
            if not error.lacks_files_only or left <= 0:
                raise
            failures = tuple(error.lines())
        if failures != told:
            told = failures
            waiting(told)
        time.sleep(min(BETWEEN, left))


def _section(name: str, findings: Iterable[Finding]) -> Section:
    return Section(name, tuple(findings))


async def _asked(name: str, findings: AsyncIterator[Finding]) -> Section:
    return Section(name, tuple([finding async for finding in findings]))
