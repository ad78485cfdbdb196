"""Who the peer of a TLS connection is, and whether it is one that may be: within the handshake."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pqproxy.config.problems import listed
from pqproxy.identity.errors import UNSUPPORTED_CERTIFICATE, Refused
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.identity.revocation import Revocations, Revoked
from pqproxy.identity.trust import Trust
from pqproxy.proxy.resumption import remembered_identity
from pqproxy.proxy.visit import Visit
from pqproxy.proxy.withdrawal import expired
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.tls import AlertDescription, Authentication, ChainReceived, Verdict


@dataclass(slots=True)
class PeerJudge:
    """Judges the peers of one listener."""

    purpose: Purpose  # in which role they show their certificates
    trust: Trust | None  # None: no certificate is believed
    names: IdentityPatterns | None  # None: whoever the trust set vouches for
    now: Callable[[], datetime]
    keys: frozenset[str] | None = None  # the kinds that may prove who it is; None: all that are fit
    # What other trust sets say, since a reload made this judge's service an old one.
    later: tuple[Revocations, ...] = ()
    edition: int = 0  # of what it goes by: who was judged by this one need not be judged again

    def judge(self, received: ChainReceived, visit: Visit) -> Verdict:
        """Judge a chain whose holder proved to have the key, and note what came of it."""
        if self.trust is None:
            return Verdict.reject(AlertDescription.UNKNOWN_CA, "no trust set to judge it by")
        try:
            self._check_proof(received.key_algorithm)
            visit.identity = self.trust.verify(received.chain, self.purpose, self.now())
            if self.names is not None:
                self.names.check(visit.identity)
            for revocations in self.later:  # what our own trust set says, it has just said
                revocations.check(visit.identity)
        except Refused as refusal:
            visit.refusal = refusal
            if isinstance(refusal, Revoked):
                visit.identity = refusal.peer  # the log names it as it names who is not allowed
            return Verdict.reject(AlertDescription[refusal.alert.upper()], refusal.detail)
        return Verdict.accept(visit.identity.encode(), visit.identity.not_after)

    def permits(self, proof: Authentication) -> bool:
        """Whether who comes with a ticket may come in; if not, the full handshake says why."""
        identity = remembered_identity(proof)
        if identity is None:
            return True
        if self.keys is not None and proof.key_algorithm not in self.keys:
            return False
        try:
            if self.names is not None:
                self.names.check(identity)
            self.recheck(identity)
        except Refused:
            return False
        return True

    def recheck(self, identity: PeerIdentity) -> None:
        """Raise Refused for a peer that was good, and is believed no more."""
        if self.trust is not None:
            self.trust.revocations.check(identity)
        for revocations in self.later:
            revocations.check(identity)

    def check_time(self, identity: PeerIdentity) -> None:
        """Raise Refused for a peer whose certificate has ended since it came."""
        if identity.not_after <= self.now().timestamp():
            raise expired(identity)

    def follow(self, revocations: Mapping[str, Revocations]) -> None:
        """Go by what these trust sets say today, by their names; the rest stays as it was.

        What our own one said before is let go of: a list may be long, and a connection may live on
        through a hundred of them.
        """
        others = dict(revocations)
        if self.trust is not None and self.trust.name in others:
            self.trust = replace(self.trust, revocations=others.pop(self.trust.name))
        self.later = tuple(others.values())
        self.edition += 1

    def _check_proof(self, key_algorithm: str) -> None:
        """Nothing else was offered; should that ever fail, this does not. Raises Refused."""
        if self.keys is not None and key_algorithm not in self.keys:
            raise Refused(
                ReasonCode.WEAK_AUTHENTICATION,
                UNSUPPORTED_CERTIFICATE,
                f"the {self.purpose} proved itself with a key of type {key_algorithm}, and only"
                f" {listed(sorted(self.keys))} is accepted here",
                f"give the {self.purpose} a certificate of that kind (pqproxy certs issue"
                " --algorithm)",
            )
