"""What was found out about an endpoint, as values; what they come to is judged in `verdict`."""

from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from pqproxy.probing.chain import Described
from pqproxy.probing.handshake import Afterwards, Handshake, Outcome
from pqproxy.probing.question import Answer
from pqproxy.tls.codepoints import TLS_1_3


class Reply(StrEnum):
    """How a server took one hello."""

    ACCEPTED = "accepted"
    ASKS_FOR_SHARE = "asks-for-share"  # it would: answered to a hello without one
    REFUSED = "refused"  # with an alert, or by leaving
    UNCLEAR = "unclear"  # silent, unreachable meanwhile, or nothing that means anything
    NOT_ASKED = "not-asked"  # the time was up


@dataclass(frozen=True, slots=True)
class Result:
    """One hello, and how it was taken."""

    reply: Reply = Reply.NOT_ASKED
    group: int | None = None  # that the server chose, or asks for
    asked_again: bool = False  # by a HelloRetryRequest
    alert: int | None = None
    reason: str = ""

    @property
    def is_positive(self) -> bool:
        """Whether such a client is served, as far as its group goes."""
        return self.reply in (Reply.ACCEPTED, Reply.ASKS_FOR_SHARE)

    @classmethod
    def of_handshake(cls, handshake: Handshake) -> "Result":
        """Read a handshake: once both have the keys of a group, the group was accepted."""
        seen = handshake.observed
        if seen.keys_agree:
            return cls(Reply.ACCEPTED, seen.group, seen.asked_again, None, handshake.reason)
        reply = _REPLIES[handshake.outcome]
        return cls(reply, None, seen.asked_again, handshake.alert, handshake.reason)

    @classmethod
    def of_answer(cls, answer: Answer) -> "Result":
        """Read the answer to a hello without a share."""
        if answer.outcome is Outcome.COMPLETED and answer.version != TLS_1_3:
            return cls(Reply.REFUSED, reason="it answers with an older version")
        if answer.outcome is Outcome.COMPLETED and not (answer.asked_again and answer.group):
            return cls(Reply.UNCLEAR, reason="it answers without a group to go on with")
        reply = Reply.ASKS_FOR_SHARE if answer.asked_again else _REPLIES[answer.outcome]
        return cls(reply, answer.group, answer.asked_again, answer.alert, answer.reason)

    @classmethod
    def of_older(cls, answer: Answer) -> "Result":
        """Read the answer to a hello of TLS 1.2."""
        return cls(_REPLIES[answer.outcome], alert=answer.alert, reason=answer.reason)


_REPLIES = {
    Outcome.COMPLETED: Reply.ACCEPTED,
    Outcome.REFUSED: Reply.REFUSED,
    Outcome.CLOSED: Reply.REFUSED,
    Outcome.FAILED: Reply.UNCLEAR,
    Outcome.SILENT: Reply.UNCLEAR,
    Outcome.NOT_TLS: Reply.UNCLEAR,
}


@dataclass(slots=True)
class Findings:
    """All that was found out; what could not be asked keeps its default.

    Attributes:
        endpoint: as the user wrote it.
        first: the handshake with our default offer.
        older: what a client of TLS 1.2 and below is told.
        groups: each group by itself, by code point.
        classical: a client that offers no post-quantum group.
        retry: one that offers everything and shares x25519 only.
        segments: one whose hello comes in several TCP segments.
        records: one whose hello comes in several TLS records.
        untrusted: why the chain is not believed; empty where it is; None where nobody asked.
    """

    endpoint: str
    server_name: str | None
    first: Handshake
    older: Answer | None = None
    groups: dict[int, Result] = field(default_factory=dict)
    classical: Result = Result()
    retry: Result = Result()
    segments: Result = Result()
    records: Result = Result()
    certificates: tuple[Described | None, ...] = ()
    untrusted: str | None = None
    connect_seconds: list[float] = field(default_factory=list)
    handshake_seconds: list[float] = field(default_factory=list)

    @property
    def best_version(self) -> int | None:
        """The newest version that was answered with."""
        if self.first.observed.keys_agree or self.first.observed.asked_again:
            return TLS_1_3
        if any(result.is_positive for result in self.groups.values()):
            return TLS_1_3
        return self.older_version

    @property
    def older_version(self) -> int | None:
        """The version that an older client is served with; None: none, or unknown."""
        answered = self.older is not None and self.older.outcome is Outcome.COMPLETED
        return self.older.version if self.older is not None and answered else None

    @property
    def speaks_tls(self) -> bool:
        """Whether anything that came was TLS, an alert included."""
        told = (Outcome.COMPLETED, Outcome.REFUSED, Outcome.FAILED)
        answers = [self.first.outcome, *([self.older.outcome] if self.older else [])]
        return any(outcome in told for outcome in answers)

    @property
    def client_certificate(self) -> str:
        """Whether the server asks clients who they are: none, requested, required, unknown."""
        if self.first.outcome is not Outcome.COMPLETED:
            return "unknown"
        if not self.first.observed.wants_certificate:
            return "none"
        left = self.first.afterwards in (Afterwards.ALERT, Afterwards.CLOSED)
        return "required" if left else "requested"

    def median_seconds(self) -> tuple[float | None, float | None]:
        """Medians of connecting, and of shaking hands."""
        connects, handshakes = self.connect_seconds, self.handshake_seconds
        return median(connects) if connects else None, median(handshakes) if handshakes else None
