"""Log lines: one a connection, one a refused peer, two a tunnel or an endpoint, on stderr.

Text for a person on a terminal, one JSON object a line for a machine. What a peer chose (names,
what it offered) is bounded and escaped here, so that it can forge no line and no field. A log
that nobody reads never stops the proxy: a line that stderr does not take at once is dropped, and
the next one that it takes is preceded by how many were.
"""

import json
import logging
import os
import select
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import ClassVar

from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd

# Together these keep a line below PIPE_BUF (4096): a pipe that polls as writable takes that much at
# once, and unmixed with the lines of other processes.
LONGEST_VALUE = 256
LONGEST_MESSAGE = 800
LONGEST_TRACEBACK = 1200

logger = logging.getLogger("pqproxy")
# Of lines that may be left out: then no record is made, only to be thrown away.
_connections = logging.getLogger("pqproxy.connections")

# Ends that somebody has to do something about, unlike a client that leaves.
_TROUBLE = frozenset(
    {
        EndReason.UPSTREAM_ALERT,
        EndReason.UPSTREAM_LEFT,  # in mid-answer
        EndReason.HANDSHAKE_TIMEOUT,
        EndReason.UPSTREAM_DOWN,
        EndReason.PROTOCOL_ERROR,
        EndReason.INTERNAL_ERROR,
    }
)


# A tunnel is to end by somebody's will: anything else broke it.
_INTENDED = frozenset(
    {TunnelEnd.REPLACED, TunnelEnd.RETIRED, TunnelEnd.PEER_RETIRED, TunnelEnd.DRAINED}
)


class Line:
    """A log record with named fields; the base of those below."""

    event: ClassVar[str]

    @property
    def level(self) -> int:
        """Of `logging`: a warning is something that an operator should act on."""
        return logging.WARNING

    def values(self) -> dict[str, object]:
        """The fields that hold something, in order, made safe to print."""
        own = fields(self)  # type: ignore[arg-type]  # every kind of line is a dataclass
        named = ((field.name, getattr(self, field.name)) for field in own)
        return {name: _safe(value) for name, value in named if value not in (None, "", ())}

    def __str__(self) -> str:
        return " ".join(
            [self.event, *(f"{name}={_quoted(value)}" for name, value in self.values().items())]
        )


@dataclass(frozen=True, slots=True)
class ConnectionLine(Line):
    """Who talked, under which protection, how much, and why it ended."""

    event: ClassVar[str] = "connection"

    listener: str
    peer: str  # the address that connected to us
    end_reason: EndReason
    duration: float  # seconds since accept
    received: int = 0  # payload bytes from the client
    sent: int = 0  # payload bytes to the client
    first_byte: float | None = None  # seconds from accept to the first byte of an answer
    transport: str = "tls"  # or stream: a tunnel carried it, whose TLS is meant below
    tunnel: str | None = None  # which one
    stream: int | None = None  # and as what; both sidecars call these two the same
    client: str | None = None  # of a stream: its client's address, as the other sidecar tells it
    identity: str | None = None  # who the other sidecar or client proved to be
    server_name: str | None = None
    group: str | None = None
    cipher_suite: str | None = None
    signature: str | None = None  # of our side
    peer_signature: str | None = None
    resumed: bool | None = None  # True: by a ticket, so nobody signed; else nothing
    alpn: str | None = None
    upstream: str | None = None  # the address that we dialled
    would_refuse: ReasonCode | None = None  # served, as we observe; why `require` would not
    reason: ReasonCode | None = None  # where the connection could not be served
    detail: str | None = None  # what happened, for the operator
    fix: str | None = None

    @property
    def level(self) -> int:
        """A warning when it could not be served, or broke, or can be mended."""
        in_trouble = self.reason is not None or self.end_reason in _TROUBLE or bool(self.fix)
        return logging.WARNING if in_trouble else logging.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelUpLine(Line):
    """A tunnel is up: with whom, under which protection."""

    event: ClassVar[str] = "tunnel_up"

    listener: str
    tunnel: str  # as in the lines of its streams, on both sides
    peer: str | None = None  # the address that connected to us, or ...
    upstream: str | None = None  # ... the one that we dialled
    transport: str = "tls"
    identity: str | None = None
    server_name: str | None = None
    group: str | None = None
    cipher_suite: str | None = None
    signature: str | None = None
    peer_signature: str | None = None
    resumed: bool | None = None

    @property
    def level(self) -> int:
        """Nothing is to be done."""
        return logging.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelClosedLine(TunnelUpLine):
    """A tunnel that was up is gone: why, and what it did."""

    event: ClassVar[str] = "tunnel_closed"

    end_reason: TunnelEnd
    duration: float  # seconds that it was up
    streams: int  # that it carried, all in all
    reset: int = 0  # of these, the ones that its end cut off
    round_trip: float | None = None  # seconds, by the last PING
    detail: str | None = None
    fix: str | None = None

    @property
    def level(self) -> int:
        """A warning when nobody meant it to end."""
        return logging.INFO if self.end_reason in _INTENDED else logging.WARNING


@dataclass(frozen=True, slots=True)
class RefusalLine(Line):
    """Who was refused, what it offered, why, and what would fix it."""

    event: ClassVar[str] = "refused"

    listener: str
    peer: str
    reason: ReasonCode
    detail: str
    fix: str
    identity: str | None = None
    server_name: str | None = None
    offered: str | None = None
    upstream: str | None = None  # where it is the server that was refused


@dataclass(frozen=True, slots=True)
class EjectedLine(Line):
    """An endpoint, or a name, that an egress does without from now on, and why."""

    event: ClassVar[str] = "endpoint_ejected"

    listener: str
    upstream: str
    reason: ReasonCode
    detail: str
    fix: str
    left: int = 0  # how many others serve


@dataclass(frozen=True, slots=True)
class ReturnedLine(Line):
    """It answers again."""

    event: ClassVar[str] = "endpoint_returned"

    listener: str
    upstream: str

    @property
    def level(self) -> int:
        """Nothing is to be done any more."""
        return logging.INFO


def write(line: Line) -> None:
    """Log a line of a connection, a tunnel or an endpoint."""
    always = isinstance(line, RefusalLine | EjectedLine | ReturnedLine)
    to = logger if always else _connections
    to.log(line.level, line)


def leaves_out(end_reason: EndReason) -> bool:
    """Whether the line of a connection of which there is nothing else to tell is not wanted."""
    return end_reason not in _TROUBLE and not _connections.isEnabledFor(logging.INFO)


def configure(log_format: str = "auto", connections: bool = True, tty: bool | None = None) -> None:
    """Send every logger of this process to stderr.

    `log_format` is auto, text or json; auto is text when `tty` (None: look whether stderr is
    one). Without `connections` the lines of connections that went well are left out.
    """
    if log_format == "auto":
        log_format = "text" if (stderr_is_terminal() if tty is None else tty) else "json"
    handler = StderrHandler()
    handler.setFormatter(TextFormatter() if log_format == "text" else JsonFormatter())
    _connections.setLevel(logging.INFO if connections else logging.WARNING)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def stderr_is_terminal() -> bool:
    """Whether a person reads stderr."""
    try:
        return os.isatty(2)
    except OSError:
        return False


def printable(text: str, limit: int = LONGEST_VALUE) -> str:
    """`text` in bounded ASCII: control characters, line ends and the rest are escaped."""
    escaped = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= limit else escaped[:limit] + "..."


class TextFormatter(logging.Formatter):
    """One line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, message; a traceback is joined into the same line."""
        message = str(record.msg) if isinstance(record.msg, Line) else _message(record)
        trace = f" | {_traceback(record)}" if record.exc_info else ""
        return f"{_timestamp(record)} {record.levelname.lower()} {message}{trace}"


class JsonFormatter(logging.Formatter):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Fields of the line, or the message as one field."""
        entry: dict[str, object] = {
            "time": _timestamp(record),
            "level": record.levelname.lower(),
            "pid": record.process,
        }
        if isinstance(record.msg, Line):
            entry |= {"event": record.msg.event, **record.msg.values()}
        else:
            entry |= {"event": "message", "message": _message(record)}
        if record.exc_info:
            entry["traceback"] = _traceback(record)
        return json.dumps(entry)


class StderrHandler(logging.Handler):
    """Writes whole lines to a file descriptor; never raises, never waits."""

    def __init__(self, descriptor: int = 2) -> None:
        super().__init__()
        self.dropped = 0  # since the last line that was written
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or count it as dropped."""
        try:
            if self.dropped:
                self._write(_dropped(self.dropped))
                self.dropped = 0
            self._write(record)
        except Exception:  # a log line is never worth a connection
            self.dropped += 1

    def _write(self, record: logging.LogRecord) -> None:
        line = self.format(record).encode()
        if not self._takes_a_line():
            raise BlockingIOError
        os.write(self._descriptor, line + b"\n")

    def _takes_a_line(self) -> bool:
        return any(events & select.POLLOUT for _, events in self._poll.poll(0))


def _dropped(count: int) -> logging.LogRecord:
    text = "%d log lines were dropped here: stderr did not take them"
    return logging.LogRecord(logger.name, logging.WARNING, "", 0, text, (count,), None)


def _safe(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6)
    return value if isinstance(value, int) else printable(str(value))


def _quoted(value: object) -> str:
    text = "true" if value is True else str(value)
    if any(char in ' "=' for char in text):
        return json.dumps(text)
    return text


def _message(record: logging.LogRecord) -> str:
    return printable(record.getMessage(), LONGEST_MESSAGE)


def _traceback(record: logging.LogRecord) -> str:
    """The end of the traceback: that is where the error is named."""
    text = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
    return printable(text[-LONGEST_TRACEBACK:].replace("\n", " / "), LONGEST_TRACEBACK)


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
