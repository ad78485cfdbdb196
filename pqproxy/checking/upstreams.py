"""Section `upstream`: whether somebody is where each ingress forwards to.

A connection without a request hangs some servers, and pqproxy itself dials only for clients that
it has let in. So here nobody is dialled without consent: on this machine /proc says who listens.
With consent one connection is made, and a request only where `alpn` says what is spoken.
"""

import asyncio
from collections.abc import AsyncIterator

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.sockets import listening_inodes
from pqproxy.checking.subject import Subject
from pqproxy.config.addresses import is_loopback
from pqproxy.config.values import Ingress
from pqproxy.probing.wire import TooMuch, Unreachable, connect, words
from pqproxy.supervisor.occupant import holders_of

_NAME = "upstream"
_PATIENCE = 5.0  # seconds, for the connection and for an answer
_START = "start the model server, or correct forward"
_SETTINGS_FRAME = 4
# The least that a server of each protocol answers (RFC 9112 §3, RFC 9113 §3.4).
_REQUESTS = {
    "http/1.1": b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
}


async def check_upstreams(subject: Subject, may_dial: bool) -> AsyncIterator[Finding]:
    """Look at every upstream; `may_dial` is the consent to connect."""
    for ingress in subject.settings.ingress:
        if not may_dial:
            yield _look(ingress)
            continue
        yield await _dial(ingress)
        for protocol in ingress.alpn:
            if protocol in _REQUESTS:
                yield await _ask(ingress, protocol)


def _look(ingress: Ingress) -> Finding:
    title = f"{ingress.name}: {ingress.forward}"
    inodes = listening_inodes(ingress.forward) if is_loopback(ingress.forward) else None
    if inodes is None:
        message = f"{title} was not asked: a connection may disturb it"
        return warning(_NAME, message, "--dial-upstreams connects to it")
    if not inodes:
        return failure(_NAME, f"{title}: nobody listens there", _START)
    who = next(holders_of(inodes), "a process of another user")
    return good(_NAME, f"{title}: {who} listens; it was not connected to")


async def _dial(ingress: Ingress) -> Finding:
    title = f"{ingress.name}: {ingress.forward}"
    try:
        async with await connect(ingress.forward, _patience(ingress)) as wire:
            milliseconds = wire.connect_seconds * 1000
    except Unreachable as error:
        return failure(_NAME, f"{ingress.name}: {error}", error.hint)
    return good(_NAME, f"{title} takes connections ({milliseconds:.1f} ms)")


def _patience(ingress: Ingress) -> float:
    return min(ingress.timeouts.connect or _PATIENCE, _PATIENCE)


async def _ask(ingress: Ingress, protocol: str) -> Finding:
    title = f"{ingress.name}: {ingress.forward}"
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await _first_answer(ingress, protocol)
    except (Unreachable, TooMuch, TimeoutError) as error:
        answer, why = b"", str(error) or "no answer"
    except OSError as error:
        answer, why = b"", words(error)
    else:
        why = "it answers with something else" if answer else "it closes without an answer"
    if _speaks(protocol, answer):
        return good("alpn", f"{title} speaks {protocol}, as alpn says")
    message = f"{title} does not speak {protocol}, as alpn says it does: {why}"
    return warning("alpn", message, "list under alpn what the server speaks: clients rely on it")


async def _first_answer(ingress: Ingress, protocol: str) -> bytes:
    """Enough of the answer to know the protocol by. Raises Unreachable, TooMuch, OSError."""
    async with await connect(ingress.forward, _patience(ingress)) as wire:
        await wire.send(_REQUESTS[protocol])
        answer = b""
        while len(answer) < 9 and (data := await wire.receive()):
            answer += data
        return answer


def _speaks(protocol: str, answer: bytes) -> bool:
    if protocol == "h2":
        return len(answer) >= 9 and answer[3] == _SETTINGS_FRAME
    return answer.startswith(b"HTTP/1.")
