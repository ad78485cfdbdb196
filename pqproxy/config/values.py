"""What a checked configuration is: plain immutable values.

A worker gets these over its pipe and needs nothing else, so nothing here may import pydantic,
yaml or anything of ours. Durations are seconds, sizes are bytes, None means never or no limit.
`schema.py` says what a person may write; `parse.py` turns one into the other.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Policy(StrEnum):
    """What is demanded of the key exchange."""

    REQUIRE = "require"  # post-quantum groups only
    PREFER = "prefer"  # post-quantum first, classical accepted
    OBSERVE = "observe"  # the same, and a record is kept of whom `require` would refuse


class PolicyOrigin(StrEnum):
    """Who set a listener's policy."""

    FILE = "file"
    OPTION = "option"  # of the command line, where there is no file
    ENVIRONMENT = "environment"
    DEFAULT = "default"


class Profile(StrEnum):
    """A set of algorithms that is demanded as a whole."""

    DEFAULT = "default"  # whatever the engine speaks, with groups of the policy or of a list
    CNSA2 = "cnsa2"  # ML-KEM-1024 with P-384, AES-256, ML-DSA-87 in every signature


class PeerAuthentication(StrEnum):
    """What is demanded of a peer's signatures, in the handshake and up to and including its root.

    Composite: ML-DSA and a traditional algorithm together, of which both must verify.
    """

    HYBRID = "hybrid"  # every key is composite
    POST_QUANTUM = "post-quantum"  # every key is composite or ML-DSA
    ANY = "any"  # whatever is fit


class ClientAuth(StrEnum):
    """Whether an ingress asks for a client certificate."""

    REQUIRE = "require"
    REQUEST = "request"
    NONE = "none"


class OnExpiry(StrEnum):
    """What becomes of an open connection when the peer's certificate ends."""

    FINISH = "finish"  # nothing: it was good when the peer proved to have it
    CUT = "cut"


class TunnelMode(StrEnum):
    """Whether the connections between two sidecars are streams of a few TLS connections."""

    AUTO = "auto"  # with peers that speak them; a TLS connection each with all others
    REQUIRE = "require"  # no peer that does not speak them
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host and a port. `host` is a name or a literal; empty: all interfaces, v4 and v6."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A unix stream socket."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


Address = TcpAddress | UnixAddress

# Of the key of `--identity`.
PASSPHRASE_VARIABLE = "PQPROXY_PASSPHRASE"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """A certificate chain (PEM, leaf first) and its private key, as read from disk.

    The supervisor reads and checks the files; a worker never opens them.
    """

    name: str
    certificate: bytes
    key: bytes
    source: str  # where it came from, for messages
    passphrase: bytes | None = None  # of the key; never for a worker, see `identity.own.unlock`

    def __repr__(self) -> str:
        return f"IdentityFiles(name={self.name!r}, source={self.source!r})"


SERIAL_BYTES = 20  # the longest that there may be, RFC 5280 §4.1.2.2


@dataclass(frozen=True, slots=True)
class RevocationFile:
    """A file of revocation lists, perhaps with the certificates of who signed them, as read."""

    source: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RevokedSerials:
    """What one authority revoked, out of lists whose signatures were verified."""

    authority: str  # its name, printable
    issuer: bytes  # the same as certificates spell it, hashed
    serials: bytes = field(repr=False)  # SERIAL_BYTES each, in order
    # Unix seconds from which on a newer list is due; None: never said. A newer list that names the
    # same certificates changes nothing about whom a listener believes.
    next_update: float | None = field(compare=False)
    this_update: float = field(default=0.0, compare=False)  # when the newest of the lists was made

    @property
    def count(self) -> int:
        """How many certificates it names."""
        return len(self.serials) // SERIAL_BYTES


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """A named set of roots (PEM blocks), and whom it believes no more.

    Lists are read once: what is put in force holds `revoked` instead of `crl`, so that no worker
    parses 100 000 entries while streams wait.
    """

    name: str
    roots: tuple[bytes, ...]
    source: str
    crl: tuple[RevocationFile, ...] = ()
    revoked: tuple[RevokedSerials, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None is never."""

    connect: float | None = 10.0
    handshake: float | None = 10.0
    idle: float | None = None
    half_close: float | None = 60.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Caps of one listener.

    `connections` bounds memory and descriptors of the machine: all workers share it, each may hold
    its part, rounded up. The other two bound the work that one event loop has before it: they hold
    in each worker, since more workers are more cores to do it.
    """

    connections: int = 10_000
    handshakes: int = 512
    handshakes_per_source: int = 64


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The tunnels of an egress; it is the end that dials them."""

    mode: TunnelMode = TunnelMode.AUTO
    count: int = 1  # at least so many for each address of the peer, in each worker
    max_age: float | None = 3600.0  # seconds until another one takes its place


@dataclass(frozen=True, slots=True)
class Ingress:
    """TLS in, plaintext to `forward`."""

    name: str
    listen: Address
    forward: Address
    identities: tuple[str, ...]
    trust: str | None
    client_auth: ClientAuth = ClientAuth.REQUIRE
    policy: Policy = Policy.REQUIRE
    # Where it was said is no part of what a configuration means.
    policy_origin: PolicyOrigin = field(default=PolicyOrigin.DEFAULT, compare=False)
    authentication: PeerAuthentication = PeerAuthentication.ANY  # of clients
    allow: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()
    tunnel: TunnelMode = TunnelMode.AUTO
    groups: tuple[str, ...] = ()  # standard names, in order of preference; policy is applied to it
    # Kinds of composite keys, and the numbers that their signatures have here instead of the usual.
    code_points: tuple[tuple[str, int], ...] = ()
    profile: Profile = Profile.DEFAULT
    padding: int | None = 256
    on_expiry: OnExpiry = OnExpiry.FINISH
    timeouts: Timeouts = Timeouts()
    limits: ConnectionLimits = ConnectionLimits()


@dataclass(frozen=True, slots=True)
class Egress:
    """Plaintext in, TLS to `connect`."""

    name: str
    listen: Address
    connect: tuple[Address, ...]
    identities: tuple[str, ...]
    trust: str
    expect: tuple[str, ...]  # never empty: the host of `connect` by default
    policy: Policy = Policy.REQUIRE
    policy_origin: PolicyOrigin = field(default=PolicyOrigin.DEFAULT, compare=False)
    authentication: PeerAuthentication = PeerAuthentication.ANY  # of servers
    alpn: tuple[str, ...] = ()
    tunnel: Tunnel = Tunnel()
    groups: tuple[str, ...] = ()
    code_points: tuple[tuple[str, int], ...] = ()
    profile: Profile = Profile.DEFAULT
    padding: int | None = 256
    on_expiry: OnExpiry = OnExpiry.FINISH
    timeouts: Timeouts = Timeouts()
    limits: ConnectionLimits = ConnectionLimits()


@dataclass(frozen=True, slots=True)
class Drain:
    """How a stop is softened, in seconds."""

    timeout: float = 25.0  # for open connections to finish, once no more are accepted
    delay: float = 5.0  # of accepting on while not ready; a signal does without


@dataclass(frozen=True, slots=True)
class Log:
    """How to log."""

    format: str = "auto"  # auto | text | json
    connections: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything one run of pqproxy is told."""

    identities: tuple[IdentityFiles, ...]
    trust: tuple[TrustFiles, ...]
    ingress: tuple[Ingress, ...]
    egress: tuple[Egress, ...]
    workers: int = 1
    provider: str = "openssl"  # openssl | liboqs | auto
    drain: Drain = Drain()
    control: Address | None = None
    health: Address | None = None
    probes: tuple[tuple[str, str], ...] = ()  # name and path, asked of the one ingress's upstream
    upstream_metrics: str | None = None  # a path, asked of the same
    log: Log = Log()
    landlock: bool = True  # as far as the kernel has it
    keylog: str | None = None  # a path, only from --keylog
    # What identities and trust sets were read from, and where to look for their successors.
    files: tuple[str, ...] = field(default=(), compare=False)
    # Of the environment, which workers get without them.
    withheld_variables: tuple[str, ...] = field(default=(PASSPHRASE_VARIABLE,), compare=False)
    # What the environment asks for; it holds where a listener says nothing.
    environment_policy: Policy | None = field(default=None, compare=False)

    @property
    def roles(self) -> dict[str, str]:
        """`ingress` or `egress` by listener name, which no two listeners share."""
        return {
            **dict.fromkeys((listener.name for listener in self.ingress), "ingress"),
            **dict.fromkeys((listener.name for listener in self.egress), "egress"),
        }
