"""Listens, takes one ClientHello of each caller, answers with an alert, and tells what it saw.

A few callers at a time, each within its patience and with a bound on what is read; the others wait
in the kernel's queue.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pqproxy.probing.advice import advise
from pqproxy.probing.greeting import SILENT, Greeting, GreetingReader
from pqproxy.probing.shapes import Program, recognise
from pqproxy.probing.strangers import HTTP
from pqproxy.probing.wire import TooMuch, Wire
from pqproxy.tls import AlertDescription
from pqproxy.tls.alerts import AlertLevel
from pqproxy.tls.codepoints import LEGACY_VERSION, ContentType
from pqproxy.tls.record import plaintext_record

PATIENCE = 10.0  # seconds for one caller
AT_A_TIME = 16
_FAREWELL = 0.5  # seconds in which a caller may take our answer
_AFTER_FAILED_ACCEPT = 0.1

_ALERT = plaintext_record(
    ContentType.ALERT,
    bytes((AlertLevel.FATAL, AlertDescription.HANDSHAKE_FAILURE)),
    LEGACY_VERSION,
)
_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 42\r\n\r\nthis port only listens for a ClientHello\r\n"
)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """One caller."""

    peer: str
    greeting: Greeting
    program: Program | None
    advice: str

    @property
    def said_something(self) -> bool:
        """Whether it counts: who only connects and leaves is nobody's client."""
        return self.greeting.protocol != SILENT


async def sniff(
    listener: socket.socket,
    count: int,
    report: Callable[[Sniffed], None],
    patience: float = PATIENCE,
) -> None:
    """Take callers until `count` of them said something; 0: until cancelled."""
    await _Sniffer(count, report, patience).listen(listener)


class _Sniffer:
    def __init__(self, count: int, report: Callable[[Sniffed], None], patience: float) -> None:
        self._left = count or None
        self._report, self._patience = report, patience
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._done = asyncio.Event()

    async def listen(self, listener: socket.socket) -> None:
        """Accept and take."""
        tasks: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            tasks.add(group.create_task(self._accept(listener, group, tasks)))
            await self._done.wait()
            for task in tasks:
                task.cancel()

    async def _accept(
        self, listener: socket.socket, group: asyncio.TaskGroup, tasks: set[asyncio.Task[None]]
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._places.acquire()
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError:  # no descriptor left, say: others may end meanwhile
                self._places.release()
                await asyncio.sleep(_AFTER_FAILED_ACCEPT)
                continue
            task = group.create_task(self._serve(Wire(sock, _shown(address), 0.0)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _serve(self, wire: Wire) -> None:
        try:
            async with wire:
                greeting = await _hear(wire, self._patience)
                self._tell(wire.peer, greeting)
                await _answer(wire, greeting)
        finally:
            self._places.release()
        if self._left == 0:
            self._done.set()

    def _tell(self, peer: str, greeting: Greeting) -> None:
        if self._left == 0:  # it came too late
            return
        program = None if greeting.hello is None else recognise(greeting.hello)
        sniffed = Sniffed(peer, greeting, program, advise(greeting, program))
        if self._left is not None and sniffed.said_something:
            self._left -= 1
        self._report(sniffed)


async def _hear(wire: Wire, patience: float) -> Greeting:
    reader = GreetingReader()
    with contextlib.suppress(TimeoutError, OSError, TooMuch):
        async with asyncio.timeout(patience):
            while not reader.is_done and (data := await wire.receive()):
                reader.feed(data)
    return reader.greeting()


async def _answer(wire: Wire, greeting: Greeting) -> None:
    """Refuse politely, and let the caller read it before the connection goes."""
    answer = _HTTP_ANSWER if greeting.protocol == HTTP else _ALERT
    with contextlib.suppress(TimeoutError, OSError, TooMuch):
        async with asyncio.timeout(_FAREWELL):
            await wire.send(answer)
            wire.end()
            while await wire.receive():
                pass


def _shown(address: Any) -> str:
    if not isinstance(address, tuple):
        return "unix"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
