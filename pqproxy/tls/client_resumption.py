"""The client's side of resumption: offering a ticket, judging the answer, taking new ones.

RFC 9846 §4.3.11, §4.7.1. At most one ticket is offered in a hello, and each in one connection
only: that is for the owner to see to, who keeps them.
"""

from __future__ import annotations

from pqproxy.tls.alerts import illegal_parameter
from pqproxy.tls.codepoints import CipherSuite, ExtensionType
from pqproxy.tls.events import Negotiated
from pqproxy.tls.extensions import Extensions, read_single_uint16
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_exchange import is_post_quantum
from pqproxy.tls.key_schedule import (
    SUITES,
    EarlySecret,
    MainSecret,
    SuiteParameters,
    resumption_psk,
)
from pqproxy.tls.messages import ClientHello, NewSessionTicket
from pqproxy.tls.pre_shared_key import PskIdentity, with_pre_shared_key
from pqproxy.tls.secrets import Secret
from pqproxy.tls.session import Authentication, Clock, Session, SessionTicket
from pqproxy.tls.values import dataclass


def offer_ticket(
    hello: ClientHello, ticket: SessionTicket, clock: Clock, transcript: Transcript | None = None
) -> ClientHello:
    """The hello with the ticket offered; `transcript` is what went before, if anything did."""
    suite = SUITES[ticket.session.cipher_suite]
    identity = PskIdentity(ticket.ticket, ticket.obfuscated_age(clock()))
    early = EarlySecret.with_psk(suite, ticket.session.psk)
    return with_pre_shared_key(hello, identity, early, transcript or Transcript(suite))


def fits(ticket: SessionTicket, suite: SuiteParameters) -> bool:
    """Whether the ticket's key is of this suite's hash."""
    return SUITES[ticket.session.cipher_suite].hash_name == suite.hash_name


def accepted_session(
    answered: Extensions, offered: SessionTicket | None, cipher_suite: CipherSuite
) -> Session | None:
    """The session that a ServerHello resumes, or None: a full handshake follows.

    Raises:
        FatalAlert: illegal_parameter for an answer that does not fit the offer (§4.3.11).
    """
    data = answered.get(ExtensionType.PRE_SHARED_KEY)
    if data is None or offered is None:  # an answer to no offer was refused as such already
        return None
    if (index := read_single_uint16(data, "pre_shared_key")) != 0:
        raise illegal_parameter(f"ServerHello selects the ticket number {index} of one")
    if not fits(offered, SUITES[cipher_suite]):
        raise illegal_parameter("ServerHello resumes under a suite of another hash")
    if ExtensionType.KEY_SHARE not in answered:
        raise illegal_parameter("ServerHello resumes without a key_share")
    return offered.session


@dataclass(frozen=True, slots=True)
class TicketTaker:
    """Takes tickets on a connection whose handshake is complete."""

    clock: Clock
    suite: SuiteParameters
    resumption_secret: Secret
    authentication: Authentication

    @classmethod
    def of(
        cls, clock: Clock | None, negotiated: Negotiated, main: MainSecret, finished: Transcript
    ) -> TicketTaker | None:
        """Given the transcript up to our Finished.

        None where no ticket is wanted: nobody keeps them, or the connection is classical."""
        if clock is None or negotiated.authentication is None:
            return None
        if not is_post_quantum(negotiated.group):
            return None
        secret = main.resumption_secret(finished.hash())
        return cls(clock, main.suite, secret, negotiated.authentication)

    def take(self, message: NewSessionTicket) -> SessionTicket | None:
        """The ticket as it can be used, or None: it ends at once."""
        now = self.clock()
        # A day at most (the standard's limit is seven), and never past the server's certificate.
        end = min(int(now) + message.ticket_lifetime, self.authentication.end)
        if end <= now:
            return None
        psk = resumption_psk(self.suite, self.resumption_secret, message.ticket_nonce)
        session = Session(self.suite.suite, psk, self.authentication, end)
        return SessionTicket(session, message.ticket, message.ticket_age_add, now)
