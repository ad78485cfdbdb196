"""What a person may write in `proxy.yaml`: sections, keys, defaults.

Defaults stand here as they would in the file, so that `config explain` and the JSON Schema show
them that way. What one value demands of another is in `checks.py`.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pqproxy.config.leaves import (
    Alpn,
    Boolean,
    CodePoint,
    Count,
    Denied,
    Duration,
    FilePath,
    Groups,
    Listen,
    Name,
    Padding,
    Passphrase,
    Pattern,
    Target,
    Timeout,
    TunnelAge,
    TunnelCount,
    UrlPath,
    Version,
    Workers,
    word,
)
from pqproxy.config.sections import Section
from pqproxy.config.values import ClientAuth, OnExpiry, PeerAuthentication, Policy, TunnelMode


def _default(written: Any, description: str | None = None) -> Any:
    """A default in the form of the file: validation turns it into the value."""
    return Field(written, description=description)


def _section(kind: type[Section]) -> Any:
    """A section that may be left out: its own defaults hold."""
    return Field(default_factory=kind)


class IdentityEntry(Section):
    """One certificate chain and its key."""

    certificate: FilePath = Field(
        description="PEM, the leaf first; without key also a PEM with both, or a directory with "
        "tls.crt and tls.key, or with svid.pem and svid_key.pem"
    )
    key: FilePath | None = _default(None, description="PEM, the private key of the leaf")
    passphrase: Passphrase | None = _default(
        None, description="of an encrypted key: {file: PATH} or ${VARIABLE}"
    )


class TrustEntry(Section):
    """A named set of roots, and whom it believes no more."""

    roots: list[FilePath] = Field(
        min_length=1,
        description="PEM files, or directories: ca.crt where tls.crt is, else all in it",
    )
    crl: list[FilePath] = _default(
        [], description="revocation lists, PEM or DER, or directories of them"
    )
    deny: list[Denied] = _default(
        [], description="identities and serial numbers that are refused, whatever allow says"
    )


class TimeoutsEntry(Section):
    """No timeout ends a connection that is merely quiet, unless `idle` says so."""

    later: ClassVar = {
        "first_byte": "a limit on the first byte",
        "request": "a limit on whole requests",
    }

    connect: Timeout = _default("10s", description="dialling the upstream")
    handshake: Timeout = _default("10s", description="from accept to the end of the TLS handshake")
    idle: Timeout = _default("never", description="without a byte in either direction")
    half_close: Timeout = _default(
        "60s", description="after one side ended, while the other is quiet"
    )


class LimitsEntry(Section):
    """Caps of one listener. `connections` is shared out evenly among the workers."""

    connections: Count = _default(10000, description="open at a time, in all workers together")
    handshakes: Count = _default(512, description="TLS handshakes under way, in each worker")
    handshakes_per_source: Count = _default(64, description="the same, from one address")


_DIALS_TUNNELS = "belongs to the egress that dials the tunnels, an ingress takes what comes"


class IngressTunnelEntry(Section):
    """Many client connections over one TLS connection, from a sidecar that dials it."""

    elsewhere: ClassVar = {"count": _DIALS_TUNNELS, "max_age": _DIALS_TUNNELS}

    mode: Annotated[TunnelMode, *word(*TunnelMode)] = _default(
        "auto",
        description="auto: tunnels and standard clients on one port; require: tunnels only; "
        "never: a TLS connection for each client connection",
    )


class EgressTunnelEntry(Section):
    """Many client connections over one TLS connection, to another sidecar."""

    mode: Annotated[TunnelMode, *word(*TunnelMode)] = _default(
        "auto",
        description="auto: with a server that speaks tunnels, else a TLS connection for each "
        "client connection; require: never without; never: never with",
    )
    count: TunnelCount = _default(
        1, description="at least so many to each address, from each worker"
    )
    max_age: TunnelAge = _default(
        "1h", description="then another takes its place; streams stay until they end"
    )


class ListenerEntry(Section):
    """What ingress and egress share."""

    name: Name = Field(description="in log lines, metrics and status")
    listen: Listen
    policy: Annotated[Policy, *word(*Policy)] = _default(
        "require",
        description="of the key exchange: require post-quantum, prefer it, or prefer it and "
        "observe whom require would refuse",
    )
    authentication: Annotated[PeerAuthentication, *word(*PeerAuthentication)] = _default(
        "any",
        description="of the peer, up to and including its root: hybrid, ML-DSA and ECDSA in one "
        "signature, both of which must verify; post-quantum, that or ML-DSA alone; or any",
    )
    alpn: list[Alpn] = _default([], description="what the upstream speaks")
    groups: Groups = _default("default")
    padding: Padding = _default(256, description="small records are padded to a multiple; or none")
    on_expiry: Annotated[OnExpiry, *word(*OnExpiry)] = _default(
        "finish", description="what becomes of open connections when the peer's certificate ends"
    )
    timeouts: TimeoutsEntry = _section(TimeoutsEntry)
    limits: LimitsEntry = _section(LimitsEntry)
    unsafe_remote_plaintext: Boolean = _default(
        False, description="plaintext may leave this machine"
    )


class IngressEntry(ListenerEntry):
    """TLS in, plaintext to `forward`."""

    later: ClassVar = {"http": "HTTP rules", "plaintext": "a choice about plaintext clients"}

    forward: Target = Field(description="the model server")
    identities: list[Name] = Field(min_length=1, description="offered in this order")
    trust: Name | None = _default(None, description="who signs client certificates")
    client_auth: Annotated[ClientAuth, *word(*ClientAuth)] = _default("require")
    allow: list[Pattern] = _default(
        [], description="who may connect; [any-trusted] for all verified"
    )
    tunnel: IngressTunnelEntry = _section(IngressTunnelEntry)
    unsafe_anonymous: Boolean = _default(
        False, description="clients without a certificate may come from other machines"
    )


class EgressEntry(ListenerEntry):
    """Plaintext in, TLS to `connect`."""

    later: ClassVar = {"http": "HTTP rules", "plaintext": "a choice about plaintext clients"}

    connect: list[Target] = Field(
        min_length=1,
        description="another sidecar or any TLS 1.3 server; several, if they are alike",
    )
    identities: list[Name] = _default([], description="shown to a server that asks")
    trust: Name = Field(description="who signs the server's certificate")
    expect: list[Pattern] = _default([], description="who the server must be; default: its host")
    tunnel: EgressTunnelEntry = _section(EgressTunnelEntry)


class DrainEntry(Section):
    """How a stop is softened."""

    delay: Duration = _default(
        "5s", description="how long `pqproxy drain` and /drained go on accepting; a signal does not"
    )
    timeout: Duration = _default("25s", description="then what is left is reset")


class ControlEntry(Section):
    """Status and configuration, for this machine only."""

    listen: Listen


class HealthEntry(Section):
    """Health and metrics: it only reads. The paths are asked of the one ingress's upstream."""

    listen: Listen
    probes: dict[str, UrlPath] = _default({}, description="GET /probe/NAME passes on a path")
    upstream_metrics: UrlPath | None = _default(
        None, description="GET /metrics/upstream passes this path on"
    )


class LogEntry(Section):
    """Log lines go to standard error."""

    format: Annotated[str, *word("auto", "text", "json")] = _default("auto")
    connections: Boolean = _default(True, description="one line a connection")


class HardeningEntry(Section):
    """What the processes give up at their start, for the day that one is taken over."""

    landlock: Annotated[str, *word("auto", "off")] = _default(
        "auto", description="files and ports, as far as the kernel has Landlock; or off"
    )


class CryptoEntry(Section):
    """Where the algorithms come from."""

    provider: Annotated[str, *word("openssl", "liboqs", "auto")] = _default("openssl")


class File(Section):
    """The whole file."""

    version: Version
    workers: Workers = _default(
        1, description="processes that carry the data; auto: as many as cores may be used"
    )
    identities: dict[str, IdentityEntry] = _default(
        {}, description="named; listeners refer to them"
    )
    trust: dict[str, TrustEntry] = _default({}, description="named sets of roots")
    ingress: list[IngressEntry] = _default([])
    egress: list[EgressEntry] = _default([])
    code_points: dict[str, CodePoint] = _default(
        {},
        description="SignatureScheme numbers of composite keys, of private use, by kind of key: "
        "only where both ends must have others than the usual ones",
    )
    wait_for_files: Duration | None = _default(
        None,
        description="how long a start waits for files under identities and trust that are not "
        "there yet, half-written, or no pair",
    )
    crypto: CryptoEntry = _section(CryptoEntry)
    drain: DrainEntry = _section(DrainEntry)
    control: ControlEntry | None = _default(None)
    health: HealthEntry | None = _default(None)
    log: LogEntry = _section(LogEntry)
    hardening: HardeningEntry = _section(HardeningEntry)
