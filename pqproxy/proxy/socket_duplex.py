"""A plaintext TCP or unix socket as a Duplex."""

import socket
from collections.abc import Callable

from pqproxy.proxy.buffers import BULK, PAYLOAD, Batch, RecordBatch
from pqproxy.proxy.descriptor import Descriptor, Engine, Side
from pqproxy.proxy.socket_options import Socket, finish_on_close, reset_on_close
from pqproxy.proxy.specialized import own_copies


@own_copies("on_events", "_send_one")
class SocketDuplex(Descriptor):
    """Reads into the worker's slots and sends what it is given at once."""

    __slots__ = ("_ask_for_room", "_bulk", "_bulk_from")

    def __init__(self, sock: Socket, engine: Engine, side: Side) -> None:
        super().__init__(sock, engine, side)
        # Should this process die, its sockets are closed for it: a FIN would be taken for the end.
        reset_on_close(sock)
        self._bulk = False  # the last read filled its room: the next one offers all slots
        self._bulk_from = PAYLOAD
        self._ask_for_room: Callable[[], int] | None = None

    def expect_input(self) -> None:
        """Look for input in the turn in which it is resumed: who connects says something at once.

        So a request leaves with what opens its stream.
        """
        self._readable = True

    def read_slot_by_slot(self) -> None:
        """Never fill the whole buffer: what is read goes to a peer that wants tiny records.

        A megabyte in records of 63 bytes (RFC 8449) would hold up everybody for 0.1 s.
        """
        self._bulk_from = BULK + 1

    def read_for(self, room: Callable[[], int]) -> None:
        """Read no more than `room()` bytes at a time, or than one slot: what the other side takes.

        It is asked only before a read that would fill several slots.
        """
        self._ask_for_room = room

    def write(self, batch: Batch) -> bool:
        """Send. False: accepted, but send no more until `on_writable`."""
        # One piece that the socket takes whole, as nearly every small one is: `_send` without its
        # calls, which were a third of what an answer costs.
        if self._unsent is None and type(batch) is RecordBatch and len(batch.fragments) == 1:
            view = batch.fragments[0]
            try:
                sent = self._sock.send(view)
            except OSError:  # found again below, where something is made of it
                sent = -1
            if sent == batch.length:
                return True
            if sent >= 0:
                self._keep([memoryview(view)[sent:]], batch)
                self._owes_writable = True
                return False
        if self._send(batch.views(), batch):
            return True
        self._owes_writable = True
        return False

    def _read(self) -> None:
        batch, room = self._pool.slots, PAYLOAD
        try:
            if self._bulk and not self._pool.pressed:
                slots, room = batch.payloads, BULK
                if self._ask_for_room is not None:
                    slots = slots[: max(self._ask_for_room() // PAYLOAD, 1)]
                    room = len(slots) * PAYLOAD
                received = self._sock.recvmsg_into(slots)[0]
            else:
                received = self._sock.recv_into(batch.first)
        except OSError as error:
            self._nothing_read(error)
            return
        if not received:
            if self._broken:  # what was left is read, but this is no clean end
                self._vanish(self.side.left)
            else:
                self._input_ended()
            return
        # A short read has emptied the queue: the next byte is a new edge. A FIN or a failure that
        # was already reported is not, so then we read on until it is found.
        self._readable = received == room or self._hangup
        self._bulk = received >= self._bulk_from
        batch.length = received
        self._sink.on_data(batch)
        if self._readable and not self._paused and not self.closed:
            self._ask_for_turn()

    def _drop(self, *, reset: bool, lingers: bool = False) -> None:
        if not reset:
            try:  # noqa: SIM105 - once a connection, where `suppress` costs more than the call
                finish_on_close(self._sock)
            except OSError:  # already gone
                pass
        super()._drop(reset=reset, lingers=lingers)

    def _all_sent(self) -> None:
        if not self._in_ended:  # else closing it says so, too
            try:  # noqa: SIM105 - as above
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:  # gone already: the reader finds out
                pass
        self._close_if_done()
