"""What a connection tells the one who drives it, and what it wants to be told."""

from __future__ import annotations

import math
from dataclasses import field

from pqproxy.crypto import SignatureAlgorithm
from pqproxy.tls.alerts import AlertDescription, FatalAlert, WeakAuthentication, alert_name
from pqproxy.tls.codepoints import OTHER_GROUPS, CipherSuite, NamedGroup, name_of
from pqproxy.tls.config import Credential
from pqproxy.tls.schemes import SCHEMES, SchemeTable
from pqproxy.tls.session import Authentication, SessionTicket
from pqproxy.tls.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Offer:
    """What a ClientHello offered, for the operator: code points as they came."""

    client_random: bytes
    supported_versions: tuple[int, ...]
    supported_groups: tuple[int, ...]
    key_shares: tuple[int, ...]
    signature_schemes: tuple[int, ...]
    server_name: str | None
    alpn_protocols: tuple[bytes, ...]
    # Whether a post-quantum group that we allow is among its groups; None: that was not asked yet.
    post_quantum: bool | None = None
    schemes: SchemeTable = field(default=SCHEMES, repr=False, compare=False)  # names them

    def describe_groups(self, at_most: int = 8) -> str:
        """The groups by name, the first few: a hello has room for thirty thousand."""
        return _few(self._groups_named(at_most + 1), at_most)

    @property
    def group_names(self) -> tuple[str, ...]:
        """All groups by name, unknown ones by number."""
        return self._groups_named(len(self.supported_groups))

    def _groups_named(self, at_most: int) -> tuple[str, ...]:
        groups = self.supported_groups[:at_most]
        return tuple(OTHER_GROUPS.get(group) or name_of(NamedGroup, group) for group in groups)

    @property
    def signature_names(self) -> tuple[str, ...]:
        """All signature schemes by name, unknown ones by number."""
        return tuple(map(self.schemes.name, self.signature_schemes))

    def describe_signatures(self, at_most: int = 8) -> str:
        """The signature schemes by name, the first few."""
        schemes = self.signature_schemes[: at_most + 1]
        return _few(tuple(map(self.schemes.name, schemes)), at_most)

    def excerpt(self, at_most: int = 32) -> Offer:
        """The same with its lists cut: what a connection keeps for as long as it lives.

        A hello may list tens of thousands of code points, over a megabyte once they are ints.
        """
        lists = (self.supported_groups, self.signature_schemes, self.alpn_protocols)
        if max(map(len, (self.supported_versions, self.key_shares, *lists))) <= at_most:
            return self  # nearly always
        return replace(
            self,
            supported_versions=self.supported_versions[:at_most],
            supported_groups=self.supported_groups[:at_most],
            key_shares=self.key_shares[:at_most],
            signature_schemes=self.signature_schemes[:at_most],
            alpn_protocols=self.alpn_protocols[:at_most],
        )


def _few(names: tuple[str, ...], at_most: int) -> str:
    listed = [*names[:at_most], *(["and more"] if len(names) > at_most else [])]
    return ", ".join(listed) or "none"


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on."""

    group: int
    cipher_suite: CipherSuite
    signature_scheme: int | None  # of our CertificateVerify; None where we showed no certificate
    peer_signature_scheme: int | None  # of the peer's; None where it showed no certificate
    peer_chain: tuple[bytes, ...]  # DER, leaf first
    server_name: str | None
    alpn_protocol: bytes | None
    hello_retry: bool
    resumed: bool = False  # by a ticket: nobody showed a certificate in this handshake
    authentication: Authentication | None = None  # of the peer; None where no clock was given
    # As client: the schemes of a request for a certificate that none of ours answers, the first few
    unmet_request: tuple[int, ...] = ()
    schemes: SchemeTable = field(default=SCHEMES, repr=False, compare=False)  # names them

    @property
    def group_name(self) -> str:
        """The group's name."""
        return name_of(NamedGroup, self.group)

    @property
    def signature_name(self) -> str | None:
        """The name of the scheme we signed with."""
        return self._scheme_name(self.signature_scheme)

    @property
    def peer_signature_name(self) -> str | None:
        """The name of the scheme the peer signed with."""
        return self._scheme_name(self.peer_signature_scheme)

    def _scheme_name(self, scheme: int | None) -> str | None:
        return None if scheme is None else self.schemes.name(scheme)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to `ChainReceived`: accepted, or the alert and the reason for the operator."""

    alert: AlertDescription | None = None
    reason: str = ""
    identity: bytes = b""  # who the peer is, as the owner wants to read it after a resumption
    not_after: float = math.inf  # unix seconds: the end of its certificates

    @classmethod
    def accept(cls, identity: bytes = b"", not_after: float = math.inf) -> Verdict:
        """The chain is trusted and its holder may come in."""
        return cls(identity=identity, not_after=not_after)

    @classmethod
    def reject(cls, alert: AlertDescription, reason: str) -> Verdict:
        """It is not, or may not."""
        return cls(alert, reason)

    def authentication(
        self, chain: tuple[bytes, ...], now: float, key_algorithm: str = ""
    ) -> Authentication:
        """What a resumption inherits of a peer that was accepted."""
        return Authentication.made(chain, self.identity, now, self.not_after, key_algorithm)


@dataclass(frozen=True, slots=True)
class SignatureRequested:
    """Sign `content`; answer with `provide(token, signature)`, now or later."""

    token: int
    credential: Credential
    algorithm: SignatureAlgorithm
    content: bytes

    def sign(self) -> bytes:
        """Compute the signature; `algorithm.slow` says whether to do so on another thread."""
        return self.algorithm.sign(self.credential.private_key, self.content)


@dataclass(frozen=True, slots=True)
class ChainReceived:
    """Judge the peer's chain; answer with `provide(token, Verdict)`.

    The peer has already proved that it holds the key of the first certificate.
    """

    token: int
    chain: tuple[bytes, ...]
    key_algorithm: str  # of the key that made the peer's CertificateVerify


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """Application data may flow both ways."""

    negotiated: Negotiated


@dataclass(frozen=True, slots=True)
class TicketReceived:
    """The server gave a ticket: to be kept, within bounds, and used once (§C.4)."""

    ticket: SessionTicket


@dataclass(frozen=True, slots=True)
class ApplicationData:
    """What one record held: a view into the buffer that was lent, valid until the next read."""

    fragment: memoryview


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """close_notify: the peer sends no more, and nothing was cut off."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """The stream ended without close_notify: never a clean end (§6.1)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The connection is over; from now on every call is inert."""

    alert: int
    reason: str  # for the operator; the peer learns the alert only
    by_peer: bool = False  # the peer sent the alert, we did not
    authenticated: bool = False  # by_peer: the alert came under keys
    weak_authentication: bool = False  # the peer and we have no signature in common
    not_tls: bool = False  # the first byte already was not TLS
    plaintext: bool = False  # not_tls, and what came instead is text, such as plain HTTP
    cause: BaseException | None = field(default=None, repr=False)  # our own bug, for its traceback

    @classmethod
    def by_us(cls, error: Exception, *, not_tls: bool, plaintext: bool) -> Failed:
        """What we make of an error that was raised while we looked at what the peer sent."""
        if isinstance(error, FatalAlert):
            return cls(
                error.description,
                error.reason,
                weak_authentication=isinstance(error, WeakAuthentication),
                not_tls=not_tls,
                plaintext=plaintext,
            )
        # Our own bug: the peer learns nothing of it, the log gets its traceback.
        reason = f"internal error: {type(error).__name__}"
        return cls(AlertDescription.INTERNAL_ERROR, reason, cause=error)

    @property
    def alert_name(self) -> str:
        """The alert's name."""
        return alert_name(self.alert)


Event = (
    SignatureRequested
    | ChainReceived
    | HandshakeCompleted
    | TicketReceived
    | ApplicationData
    | PeerClosed
    | Truncated
    | Failed
)
