"""Handshakes and findings without a network, for those who judge them."""

from pqproxy.probing.findings import Findings, Reply, Result
from pqproxy.probing.handshake import Afterwards, Handshake, Outcome
from pqproxy.probing.observation import Observed
from pqproxy.probing.question import Answer
from pqproxy.tls import CLASSICAL_GROUPS, HYBRID_GROUPS, CipherSuite, NamedGroup, Negotiated

PQ, X25519 = NamedGroup.X25519MLKEM768, NamedGroup.x25519
REFUSED = Result(Reply.REFUSED, alert=71, reason="peer said insufficient_security")
TLS_1_2_REFUSED = Answer(Outcome.REFUSED, "peer said protocol_version", alert=70)


def handshake(outcome=Outcome.COMPLETED, group=None, alert=None, **more):
    completed = outcome is Outcome.COMPLETED
    suite = CipherSuite.TLS_AES_256_GCM_SHA384
    values = {
        "outcome": outcome,
        "peer": "127.0.0.1:443",
        "reason": "" if completed else f"it is {outcome}",
        "alert": alert,
        "observed": Observed(group=group, keys_agree=group is not None),
        "negotiated": None,
        "afterwards": Afterwards.NOT_AWAITED,
        "first_bytes": b"",
        "hello_size": 1474,
        "flight_size": 1218,
        "connect_seconds": 0.001,
        "handshake_seconds": 0.002 if completed else None,
    } | more
    if completed and values["observed"].group is not None:
        chosen = values["observed"].group
        values["negotiated"] = Negotiated(chosen, suite, None, 0x0403, (), None, b"h2", False)
    return Handshake(**values)


def findings(first=None, **more):
    return Findings("llm.test:443", "llm.test", first or handshake(group=PQ), **more)


def everything(served, **more):
    """A server that was asked everything and serves these groups."""
    groups = {
        group: Result(Reply.ACCEPTED, group) if group in served else REFUSED
        for group in HYBRID_GROUPS + CLASSICAL_GROUPS
    }
    classical = [group for group in CLASSICAL_GROUPS if group in served]
    best = next(iter(served))
    return findings(
        handshake(group=best),
        **{
            "groups": groups,
            "classical": Result(Reply.ACCEPTED, classical[0]) if classical else REFUSED,
            "retry": Result(Reply.ACCEPTED, best, asked_again=best is PQ),
            "segments": Result(Reply.ACCEPTED, best),
            "records": Result(Reply.ACCEPTED, best),
            "older": TLS_1_2_REFUSED,
        }
        | more,
    )
