"""The server's side of resumption: finding the session that a hello offers, giving tickets.

RFC 9846 §4.3.11, §4.7.1. A ticket that does not open, has ended or does not fit is passed over,
and the full handshake judges everything anew. A ticket that does open and comes with a wrong
binder is an attack or a broken peer, and ends the connection.

The age that a client states is not judged: it serves to bound replays of early data, and there is
none. When a ticket ends is written in the ticket.
"""

from __future__ import annotations

import hmac

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.config import ServerConfig
from pqproxy.tls.events import Negotiated
from pqproxy.tls.handshake import SendHandshake, Transcript
from pqproxy.tls.key_exchange import Entropy, is_post_quantum
from pqproxy.tls.key_schedule import (
    SUITES,
    EarlySecret,
    MainSecret,
    SuiteParameters,
    resumption_psk,
)
from pqproxy.tls.messages import ClientHello, HandshakeMessage, NewSessionTicket
from pqproxy.tls.pre_shared_key import OfferedPsks, psk_binder, takes_tickets
from pqproxy.tls.session import Authentication, Session
from pqproxy.tls.tickets import TICKET_LIFETIME, Tickets
from pqproxy.tls.values import dataclass

MAX_IDENTITIES = 4  # of a hello that are looked at; clients offer one or two

# One in return for the one that was used, and one more after a full handshake: so a client that
# opens more connections at a time soon has a ticket for each (§C.4).
TICKETS_AFTER_FULL_HANDSHAKE, TICKETS_AFTER_RESUMPTION = 2, 1


@dataclass(frozen=True, slots=True)
class Resumption:
    """A session that a hello offers and that we accept, once its binder is checked."""

    session: Session
    selected_identity: int
    psks: OfferedPsks

    def early_secret(self, suite: SuiteParameters) -> EarlySecret:
        """Where the key schedule begins."""
        return EarlySecret.with_psk(suite, self.session.psk)

    def check_binder(self, before: Transcript, message: HandshakeMessage) -> None:
        """Whoever sent this hello has the key; `before` is the transcript up to it.

        Raises:
            FatalAlert: decrypt_error: it has not.
        """
        transcript_hash = before.hash_with(self.psks.truncate(message))
        expected = psk_binder(self.early_secret(before.suite), transcript_hash)
        if not hmac.compare_digest(self.psks.binders[self.selected_identity], expected):
            raise FatalAlert(AlertDescription.DECRYPT_ERROR, "the binder of a ticket is wrong")


def find_session(
    config: ServerConfig, hello: ClientHello, suite: SuiteParameters, protocol: bytes | None
) -> Resumption | None:
    """The first session of a checked hello that we resume under this suite, or None.

    `protocol` is the one that was selected, which may demand more of the client than others do.
    """
    data = hello.extensions.get(ExtensionType.PRE_SHARED_KEY)
    if config.tickets is None or data is None or not takes_tickets(hello):
        return None
    psks = OfferedPsks.read(data)
    for index, offered in enumerate(psks.identities[:MAX_IDENTITIES]):
        session = config.tickets.open(offered.identity)
        if session is not None and _fits(session, config, suite, protocol):
            return Resumption(session, index, psks)
    return None


def _fits(
    session: Session, config: ServerConfig, suite: SuiteParameters, protocol: bytes | None
) -> bool:
    """The key is of this suite's hash, and the client proved as much as it would have to now."""
    proved = bool(session.authentication.chain_digest)
    same_hash = SUITES[session.cipher_suite].hash_name == suite.hash_name
    return same_hash and (proved or not config.demands_certificate(protocol))


@dataclass(frozen=True, slots=True)
class TicketOffice:
    """Gives tickets on a connection whose handshake is complete."""

    tickets: Tickets
    entropy: Entropy
    main: MainSecret

    @classmethod
    def of(
        cls, config: ServerConfig, entropy: Entropy, main: MainSecret, group: int
    ) -> TicketOffice | None:
        """None where there are no tickets to give.

        A classical connection gives none: its recording, decrypted one day, would hold their keys.
        """
        if config.tickets is None or not is_post_quantum(group):
            return None
        return cls(config.tickets, entropy, main)

    def give(self, finished: Transcript, negotiated: Negotiated) -> tuple[SendHandshake, ...]:
        """NewSessionTickets, given the transcript up to the client's Finished."""
        now = self.tickets.clock()
        proof = negotiated.authentication or Authentication.made((), b"", now)
        end = min(int(now) + TICKET_LIFETIME, proof.end)
        if end <= now:
            return ()
        count = TICKETS_AFTER_RESUMPTION if negotiated.resumed else TICKETS_AFTER_FULL_HANDSHAKE
        secret = self.main.resumption_secret(finished.hash())
        given: list[SendHandshake] = []
        for number in range(count):
            nonce = bytes((number,))
            psk = resumption_psk(self.main.suite, secret, nonce)
            session = Session(self.main.suite.suite, psk, proof, end)
            ticket = self.tickets.seal(session, self.entropy)
            if ticket is None:
                return ()
            age_add = int.from_bytes(self.entropy(4), "big")
            message = NewSessionTicket(int(end - now), age_add, nonce, ticket, {}).message()
            given.append(SendHandshake(message))
        return tuple(given)
