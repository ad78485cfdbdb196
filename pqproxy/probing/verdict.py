"""What the findings about an endpoint come to: is it post-quantum, and is it nothing less?"""

from dataclasses import dataclass
from enum import StrEnum

from pqproxy.probing.findings import Findings, Reply, Result
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.naming import POST_QUANTUM, group_name, version_name
from pqproxy.probing.strangers import server_protocol
from pqproxy.tls import alert_name


class PostQuantum(StrEnum):
    """Whether traffic with the endpoint stays closed to a quantum computer."""

    NEGOTIATED = "negotiated"  # with our default offer, which lists classical groups too
    AVAILABLE = "available"  # it knows such a group, and settles for less
    NO = "no"
    UNKNOWN = "unknown"


_ADVICE = {
    PostQuantum.NEGOTIATED: "to be sure of every client, let the server refuse those without it "
    "(policy: require of pqproxy; policy: observe names them first)",
    PostQuantum.AVAILABLE: "let the server put X25519MLKEM768 first in its list of groups",
    PostQuantum.NO: "put pqproxy before it (pqproxy serve), or a newer TLS library into it "
    "(OpenSSL 3.5, Go 1.24, Java 27)",
    PostQuantum.UNKNOWN: "see what the server's log says, and what stands in between",
}
# By whether it said anything at all.
_ADVICE_WITHOUT_TLS = {
    True: "put pqproxy before it (pqproxy serve)",
    False: "check that it is the right port, and that nothing in between swallows large hellos",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        protocol: the newest TLS version, what else it speaks, or why that is not known.
        downgradeable: whether a client that offers nothing post-quantum is served.
        summary: all of it in one line.
        advice: what would make it better; empty where nothing would.
    """

    protocol: str
    post_quantum: PostQuantum
    downgradeable: bool | None
    summary: str
    advice: str

    @property
    def is_post_quantum_only(self) -> bool:
        """Whether every connection to it is post-quantum, whoever calls."""
        return self.post_quantum is PostQuantum.NEGOTIATED and self.downgradeable is False


def judge(findings: Findings) -> Verdict:
    """Weigh the findings."""
    protocol = _protocol(findings)
    post_quantum, downgradeable = _post_quantum(findings), _downgradeable(findings)
    if not findings.speaks_tls:
        advice = _ADVICE_WITHOUT_TLS[findings.first.outcome is Outcome.NOT_TLS]
        return Verdict(protocol, post_quantum, None, _no_tls(findings, protocol), advice)
    summary = _summary(findings, protocol, post_quantum, downgradeable)
    advice = _ADVICE[post_quantum]
    if downgradeable is False and post_quantum is PostQuantum.NEGOTIATED:
        advice = ""
    return Verdict(protocol, post_quantum, downgradeable, summary, advice)


def served_classically(findings: Findings) -> tuple[str, ...]:
    """By what names a client without post-quantum groups is served, best first."""
    groups = [findings.classical, *findings.groups.values()]
    chosen = [r.group for r in groups if r.is_positive and r.group is not None]
    names = [group_name(g) for g in dict.fromkeys(chosen) if g not in POST_QUANTUM]
    if findings.older_version is not None:
        names.append(version_name(findings.older_version))
    return tuple(names)


def _protocol(findings: Findings) -> str:
    version = findings.best_version
    if version is not None:
        return version_name(version)
    if findings.speaks_tls:
        return "TLS"
    if findings.first.outcome is Outcome.NOT_TLS:
        return server_protocol(findings.first.first_bytes)
    return findings.first.outcome.value


def _post_quantum(findings: Findings) -> PostQuantum:
    if _chosen(findings) in POST_QUANTUM:
        return PostQuantum.NEGOTIATED
    if any(r.is_positive for g, r in findings.groups.items() if g in POST_QUANTUM):
        return PostQuantum.AVAILABLE
    if findings.best_version is None and findings.first.outcome in (Outcome.SILENT, Outcome.CLOSED):
        return PostQuantum.UNKNOWN
    return PostQuantum.NO


def _chosen(findings: Findings) -> int | None:
    seen = findings.first.observed
    return seen.group if seen.keys_agree else None


def _downgradeable(findings: Findings) -> bool | None:
    if served_classically(findings):
        return True
    older = Reply.NOT_ASKED if findings.older is None else Result.of_older(findings.older).reply
    alone = (r.reply for group, r in findings.groups.items() if group not in POST_QUANTUM)
    all_refused = all(reply is Reply.REFUSED for reply in (findings.classical.reply, older, *alone))
    return False if all_refused else None


def _no_tls(findings: Findings, protocol: str) -> str:
    match findings.first.outcome:
        case Outcome.SILENT:
            return "it takes connections and says nothing"
        case Outcome.CLOSED:
            return f"it leaves without a word of TLS ({findings.first.reason})"
    return f"not TLS: what answers is {protocol}"


def _summary(
    findings: Findings, protocol: str, post_quantum: PostQuantum, downgradeable: bool | None
) -> str:
    others = ", ".join(served_classically(findings)[:4])
    chosen = _chosen(findings)
    match post_quantum:
        case PostQuantum.NEGOTIATED if chosen is not None:
            tail = {
                True: f"downgradeable, for clients without it are served too: {others}",
                False: "and nothing less: clients without it are refused",
                None: "whether clients without it are served could not be told",
            }[downgradeable]
            return f"post-quantum: {group_name(chosen)}, {tail}"
        case PostQuantum.AVAILABLE:
            known = [g for g, r in findings.groups.items() if g in POST_QUANTUM and r.is_positive]
            names = ", ".join(map(group_name, known))
            settles = "" if chosen is None else f", yet settles for {group_name(chosen)}"
            return f"not post-quantum with the usual offer: it knows {names}{settles}"
        case PostQuantum.UNKNOWN:
            return f"could not be told: {findings.first.reason}"
    if findings.best_version is None:
        said = findings.first.alert
        why = findings.first.reason if said is None else alert_name(said)
        return f"not post-quantum: every hello is refused ({why})"
    if findings.best_version == findings.older_version:
        return f"not post-quantum: it speaks {protocol} at most"
    return f"not post-quantum: {protocol}" + (f" with {others}" if others else "")
