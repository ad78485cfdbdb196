"""What `pqproxy probe` says: a document of a stable shape, and lines for people.

The shape is described in docs/probe.md: keys are added, never renamed.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pqproxy.identity.names import printable
from pqproxy.probing.findings import Findings, Reply, Result
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.hellos import OTHER_SCHEMES
from pqproxy.probing.lines import Line, Mark
from pqproxy.probing.naming import POST_QUANTUM, group_name, scheme_name, version_name
from pqproxy.probing.verdict import PostQuantum, Verdict
from pqproxy.tls import CLASSICAL_GROUPS, HYBRID_GROUPS, alert_name

_SOON = 14  # days
_ALWAYS_SHOWN = frozenset(HYBRID_GROUPS + CLASSICAL_GROUPS)


def document(findings: Findings, verdict: Verdict) -> dict[str, Any]:
    """Return everything, ready for JSON."""
    first, seen = findings.first, findings.first.observed
    connect, handshake = findings.median_seconds()
    return {
        "endpoint": findings.endpoint,
        "peer": first.peer,
        "server_name": findings.server_name,
        "protocol": verdict.protocol,
        "post_quantum": verdict.post_quantum.value,
        "downgradeable": verdict.downgradeable,
        "summary": verdict.summary,
        "advice": verdict.advice or None,
        "default_offer": _result(Result.of_handshake(first))
        | {
            "completed": first.outcome is Outcome.COMPLETED,
            "cipher_suite": first.negotiated and first.negotiated.cipher_suite.name,
        },
        "classical_only": _result(findings.classical),
        "older_version": _older(findings),
        "hello_retry": _result(findings.retry),
        "split_segments": _result(findings.segments),
        "split_records": _result(findings.records),
        "groups": [
            {"name": group_name(group), "post_quantum": group in POST_QUANTUM, **_result(result)}
            for group, result in sorted(findings.groups.items(), key=_post_quantum_first)
        ],
        "certificates": [
            c and asdict(c) | {"post_quantum": c.is_post_quantum} for c in findings.certificates
        ],
        "certificate_verified": None if findings.untrusted is None else not findings.untrusted,
        "certificate_problem": findings.untrusted or None,
        "certificate_verify": seen.signature_scheme and scheme_name(seen.signature_scheme),
        "client_certificate": findings.client_certificate,
        "alpn": _alpn(findings),
        "tickets": seen.tickets,
        "sizes": {
            "client_hello": first.hello_size,
            "server_flight": first.flight_size,
            "certificate": seen.certificate_size,
        },
        "milliseconds": {
            "connect": _milliseconds(connect),
            "handshake": _milliseconds(handshake),
            "samples": len(findings.handshake_seconds),
        },
    }


def lines(findings: Findings, verdict: Verdict) -> Iterator[Line]:
    """Yield the lines for people; the first is the verdict."""
    yield Line(_verdict_mark(verdict), "", verdict.summary)
    if verdict.advice:
        yield Line(Mark.NONE, "what helps", verdict.advice)
    if not findings.speaks_tls:
        return
    yield from _version_lines(findings, verdict)
    yield from _robustness_lines(findings)
    yield from _group_lines(findings)
    yield from _certificate_lines(findings)
    yield from _figures(findings)


def _verdict_mark(verdict: Verdict) -> Mark:
    if verdict.post_quantum is PostQuantum.NEGOTIATED:
        return Mark.GOOD if verdict.downgradeable is False else Mark.DOUBTFUL
    return Mark.DOUBTFUL if verdict.post_quantum is PostQuantum.AVAILABLE else Mark.BAD


def _version_lines(findings: Findings, verdict: Verdict) -> Iterator[Line]:
    first = findings.first
    suite = f", {first.negotiated.cipher_suite.name}" if first.negotiated else ""
    yield Line(Mark.NONE, "protocol", verdict.protocol + suite)
    if first.outcome is not Outcome.COMPLETED:
        yield Line(Mark.DOUBTFUL, "handshake", f"not completed: {_why_not(findings)}")
    word = {True: "yes", False: "no", None: "could not be told"}[verdict.downgradeable]
    mark = Mark.GOOD if verdict.downgradeable is False else Mark.DOUBTFUL
    told = [_older_words(findings)]
    if findings.classical.reply is not Reply.NOT_ASKED:
        told.insert(0, f"classical-only hello {describe(findings.classical)}")
    yield Line(mark, "downgradeable", f"{word}: {'; '.join(told)}")


def _why_not(findings: Findings) -> str:
    scheme = findings.first.observed.signature_scheme
    if scheme in OTHER_SCHEMES:
        return f"the server signs with {scheme_name(scheme)}, which pqproxy does not verify"
    alert = findings.first.alert
    return printable(findings.first.reason) if alert is None else f"refused: {alert_name(alert)}"


def _robustness_lines(findings: Findings) -> Iterator[Line]:
    retry = findings.retry
    if retry.reply is not Reply.NOT_ASKED:
        good = retry.group in POST_QUANTUM
        said = describe(retry) if retry.asked_again or not good else "took x25519 for more"
        yield Line(Mark.GOOD if good else Mark.DOUBTFUL, "only x25519 shared", said)
    for name, result in (
        ("hello in 3 segments", findings.segments),
        ("hello in 3 records", findings.records),
    ):
        if result.reply is not Reply.NOT_ASKED:
            yield Line(Mark.GOOD if result.is_positive else Mark.BAD, name, describe(result))


def _group_lines(findings: Findings) -> Iterator[Line]:
    others = []
    for group, result in sorted(findings.groups.items(), key=_post_quantum_first):
        good = group in POST_QUANTUM
        if group in _ALWAYS_SHOWN or (good and result.is_positive):
            mark = Mark.GOOD if result.is_positive and good else Mark.NONE
            said = "accepted" if result.reply is Reply.ACCEPTED else describe(result)
            yield Line(mark, group_name(group), said)
        elif result.is_positive:
            others.append(group_name(group))
    if others:
        yield Line(Mark.NONE, "other groups", ", ".join(others))


def _certificate_lines(findings: Findings) -> Iterator[Line]:
    for position, certificate in enumerate(findings.certificates):
        which = "certificate" if position == 0 else f"issuer {position}"
        if certificate is None:
            yield Line(Mark.BAD, which, "does not parse")
            continue
        ends = f"ends {certificate.not_after[:10]} ({certificate.days_left} days)"
        kind = f"{certificate.key}, signed with {certificate.signature}"
        names = ", ".join(certificate.names[:3]) if position == 0 else certificate.subject
        mark = Mark.GOOD if certificate.is_post_quantum else Mark.NONE
        mark = mark if certificate.days_left >= _SOON else Mark.DOUBTFUL
        yield Line(mark, which, "; ".join(filter(None, (kind, names, ends))))
    if findings.first.observed.chain:
        yield _trust_line(findings.untrusted)
    elif findings.certificates:
        yield Line(Mark.NONE, "trust", "not verified: it was shown before any proof, by TLS 1.2")
    scheme = findings.first.observed.signature_scheme
    if scheme is not None:
        yield Line(Mark.NONE, "certificate verify", scheme_name(scheme))


def _trust_line(untrusted: str | None) -> Line:
    if untrusted is None:
        return Line(Mark.NONE, "trust", "not verified: give --trust FILE")
    if untrusted:
        return Line(Mark.BAD, "trust", printable(untrusted))
    return Line(Mark.GOOD, "trust", "the chain leads to --trust, and the name is right")


def _figures(findings: Findings) -> Iterator[Line]:
    first, seen = findings.first, findings.first.observed
    if first.outcome is Outcome.COMPLETED:
        yield Line(Mark.NONE, "client certificate", findings.client_certificate)
        yield Line(Mark.NONE, "ALPN", _alpn(findings) or "none")
        yield Line(Mark.NONE, "session tickets", str(seen.tickets))
    sizes = f"ClientHello {first.hello_size:,}, server flight {first.flight_size:,}"
    if seen.certificate_size:
        sizes += f", certificates in it {seen.certificate_size:,}"
    yield Line(Mark.NONE, "bytes", sizes)
    connect, handshake = findings.median_seconds()
    times = [f"connect {_milliseconds(connect)} ms"] if connect is not None else []
    if handshake is not None:
        count = len(findings.handshake_seconds)
        times.append(f"handshake {_milliseconds(handshake)} ms (median of {count})")
    yield Line(Mark.NONE, "time", ", ".join(times))


def describe(result: Result) -> str:
    """Say how one hello was taken."""
    chosen = "" if result.group is None else group_name(result.group)
    match result.reply:
        case Reply.ACCEPTED:
            again = "asks again for" if result.asked_again else "accepted with"
            return f"{again} {chosen}" if chosen else "accepted"
        case Reply.ASKS_FOR_SHARE:
            return "known: it asks for a share"
        case Reply.REFUSED:
            how = printable(result.reason) if result.alert is None else alert_name(result.alert)
            return f"refused: {how}"
        case Reply.UNCLEAR:
            return f"no clear answer: {printable(result.reason)}"
    return "not asked"


def _result(result: Result) -> dict[str, Any]:
    return {
        "reply": result.reply.value,
        "group": None if result.group is None else group_name(result.group),
        "hello_retry": result.asked_again,
        "alert": None if result.alert is None else alert_name(result.alert),
        "reason": printable(result.reason) or None,
    }


def _older(findings: Findings) -> dict[str, Any]:
    older = findings.older
    version = findings.older_version
    return {
        "reply": (Reply.NOT_ASKED if older is None else Result.of_older(older).reply).value,
        "version": None if version is None else version_name(version),
        "alert": None if older is None or older.alert is None else alert_name(older.alert),
    }


def _older_words(findings: Findings) -> str:
    if findings.older_version is not None:
        return f"{version_name(findings.older_version)} accepted"
    older = findings.older
    if older is None:
        return "TLS 1.2 not asked"
    return f"TLS 1.2 {describe(Result.of_older(older))}"


def _alpn(findings: Findings) -> str | None:
    negotiated = findings.first.negotiated
    if negotiated is None or negotiated.alpn_protocol is None:
        return None
    return printable(negotiated.alpn_protocol.decode("ascii", "backslashreplace"))


def _post_quantum_first(item: tuple[int, Result]) -> tuple[bool, bool]:
    group, result = item
    return group not in POST_QUANTUM, not result.is_positive


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
