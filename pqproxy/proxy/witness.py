"""What a handshake leaves behind as evidence, once it is over.

Every peer that was let in goes into the ledger. Under `policy: observe` it is also judged as
`policy: require` would have judged it, in the order in which the engine judges: its groups come
before its certificate and before whatever else it fails by later.
"""

import time
from collections.abc import Callable

from pqproxy.config.values import Policy
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.callers import Caller
from pqproxy.telemetry.evidence import Evidence
from pqproxy.telemetry.labels import Decision
from pqproxy.telemetry.ledger import Entry, Protection
from pqproxy.telemetry.observed import Objection, Offered
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.tls import Negotiated, is_post_quantum

# These tell of a moment, not of a peer: the next handshake may well succeed.
_PASSING = frozenset(
    {
        ReasonCode.HANDSHAKE_TIMEOUT,
        ReasonCode.OVERLOAD,
        ReasonCode.DRAINING,
        ReasonCode.UPSTREAM_DOWN,
    }
)


class Witness:
    """Writes down what happens at one listener."""

    def __init__(
        self, policy: Policy, evidence: Evidence, now: Callable[[], float] = time.time
    ) -> None:
        self._observes = policy is Policy.OBSERVE
        self._evidence, self._now = evidence, now

    def let_in(self, visit: Visit, negotiated: Negotiated) -> ReasonCode | None:
        """Write down a peer that is served; return why `require` would refuse it, if we observe."""
        entry = Entry(_caller(visit), _protection(negotiated))
        self._evidence.ledger.note(entry, _source(visit), self._now())
        reason = _objection(visit, negotiated) if self._observes else None
        if reason is not None:
            self._note(visit, Decision.WOULD_REFUSE, reason, None)
        return reason

    def turned_away(self, visit: Visit, ended: Ended) -> None:
        """Write down a peer that is not served."""
        reason = _objection(visit, None) or ended.reason
        if self._observes and reason is not None and reason not in _PASSING:
            self._note(visit, Decision.REFUSED, reason, ended.detail)

    def _note(
        self, visit: Visit, decision: Decision, reason: ReasonCode, detail: str | None
    ) -> None:
        offer = None if visit.tls is None else visit.tls.offer
        offered = Offered.of(
            _source(visit),
            () if offer is None else offer.group_names,
            () if offer is None else offer.signature_names,
            detail,
        )
        objection = Objection(_caller(visit), decision, reason)
        self._evidence.observed.note(objection, offered, self._now())


def _objection(visit: Visit, negotiated: Negotiated | None) -> ReasonCode | None:
    """What `require` says of the groups of this peer."""
    offer = None if visit.tls is None else visit.tls.offer
    if offer is not None:  # we are the server
        return ReasonCode.NO_PQ_GROUP if offer.post_quantum is False else None
    classical = negotiated is not None and not is_post_quantum(negotiated.group)
    return ReasonCode.NO_PQ_GROUP if classical else None


def _protection(negotiated: Negotiated) -> Protection:
    return Protection(
        group=negotiated.group_name,
        post_quantum=is_post_quantum(negotiated.group),
        cipher_suite=negotiated.cipher_suite.name,
        signature=negotiated.signature_name,
        peer_signature=negotiated.peer_signature_name,
        resumed=negotiated.resumed,
    )


def _caller(visit: Visit) -> Caller:
    return Caller.of(None if visit.identity is None else visit.identity.name, _source(visit))


def _source(visit: Visit) -> str:
    """Where the peer of TLS is: at an egress that is the server we dialled."""
    return visit.place.source if visit.upstream is None else visit.upstream
