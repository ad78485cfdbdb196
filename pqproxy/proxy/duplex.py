"""What every joined thing looks like: two directions of bytes with back-pressure.

A plaintext socket, a TLS connection and a stream of a tunnel are each a `Duplex`;
`splice(a, b)` joins any two. ARCHITECTURE.md lists the seven rules that hold for all of them:

1. A Duplex is born paused. After `pause()` returns, no `on_data` comes.
2. `write`, `end`, `abort`, `pause`, `resume` never call a Sink and never read. An error found in
   them arrives as `on_abort` in a later turn of the loop.
3. Reads start only in the readiness callback.
4. `end()` comes after all data. Each direction ends exactly once, `on_abort` ends both, and
   nothing comes after.
5. A loop that calls a sink rechecks `closed` before it goes on.
6. Data that arrives together with what makes it legal waits, bounded, until a sink is attached
   and the Duplex resumed.
7. A paused descriptor still notices a peer that has gone.
"""

from typing import Protocol

from pqproxy.proxy.buffers import Batch
from pqproxy.telemetry.reasons import EndReason


class Sink(Protocol):
    """Receives what one Duplex reads."""

    def on_data(self, batch: Batch) -> None:
        """Take bytes. The batch is lent for the call: see `Batch.keep`."""

    def on_end(self) -> None:
        """The peer half-closed, cleanly."""

    def on_abort(self, reason: EndReason) -> None:
        """Both directions are gone, not cleanly."""

    def on_writable(self) -> None:
        """`write` returned False before; now it may be called again."""

    def on_closed(self) -> None:
        """Both directions ended cleanly, everything has left and the Duplex holds nothing."""


class Abortable(Protocol):
    """What can be cut off."""

    closed: bool

    def abort(self, reason: EndReason) -> None:
        """Reset both directions: RST, with a fatal alert first on TLS."""


class Duplex(Abortable, Protocol):
    """One side of a connection."""

    def attach(self, sink: Sink) -> None:
        """Say who receives what this side reads. Called once, before the first `resume`."""

    def write(self, batch: Batch) -> bool:
        """Send bytes. False: accepted, but send no more until `on_writable`."""

    @property
    def unsent(self) -> int:
        """Bytes that were accepted and wait here."""

    def end(self) -> None:
        """Half-close, after everything written before."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read on."""
