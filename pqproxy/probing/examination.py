"""All questions to one endpoint: which hellos are sent, in which order, how many at a time.

The first handshakes go one by one, because they are timed; the rest a few at a time, so that no
server's budget for handshakes is spent on us. Every connection has its patience, and all together
have theirs: what was not asked by then stays unasked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pqproxy.config.addresses import parse_target
from pqproxy.config.values import Address
from pqproxy.probing.chain import Verify, describe
from pqproxy.probing.findings import Findings, Reply, Result
from pqproxy.probing.handshake import LINGER, Approach, Handshake, Outcome, shake_hands
from pqproxy.probing.hellos import (
    FOREIGN_CLASSICAL,
    FOREIGN_POST_QUANTUM,
    OTHER_SCHEMES,
    older_hello,
    shareless_hello,
)
from pqproxy.probing.pieces import Cut
from pqproxy.probing.question import Answer, ask
from pqproxy.probing.wire import Unreachable
from pqproxy.tls import (
    CLASSICAL_GROUPS,
    HANDSHAKE_SCHEMES,
    HYBRID_GROUPS,
    PRIVATE_GROUPS,
    AlertDescription,
    NamedGroup,
)
from pqproxy.tunnel import TUNNEL_PROTOCOL

ALPN = (b"h2", b"http/1.1")
# For who refuses that: no list, then what a sidecar that takes tunnels only insists on.
OTHER_ALPN: tuple[tuple[bytes, ...], ...] = ((), (TUNNEL_PROTOCOL,))
TIMED = 3  # handshakes whose median counts
AT_A_TIME = 3
ALL_TOGETHER = 6  # so many times the patience of one connection


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom to ask, and how."""

    address: Address
    server_name: str | None
    patience: float  # seconds, for each connection
    now: Callable[[], datetime]
    verify: Verify | None = None


async def examine(endpoint: Endpoint) -> Findings:
    """Ask everything. Raises Unreachable when the first connection comes to nothing."""
    examiner = _Examiner(endpoint)
    findings = await examiner.begin()
    try:
        async with asyncio.timeout(endpoint.patience * ALL_TOGETHER):
            await examiner.go_on(findings)
    except TimeoutError:
        pass  # what was not asked says so
    return findings


class _Examiner:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._address = endpoint, endpoint.address
        self._at_a_time = asyncio.Semaphore(AT_A_TIME)
        self._approach = Approach(
            server_name=endpoint.server_name,
            alpn_protocols=ALPN,
            signature_schemes=HANDSHAKE_SCHEMES + OTHER_SCHEMES,
        )

    async def begin(self) -> Findings:
        """Shake hands with the default offer. Raises Unreachable."""
        endpoint = self._endpoint
        first = await self._shake_first()
        for protocols in OTHER_ALPN:
            if first.alert == AlertDescription.NO_APPLICATION_PROTOCOL:
                self._approach = replace(self._approach, alpn_protocols=protocols)
                first = await self._shake_first()
        # A name may stand for many servers: all questions go to the one that answered first.
        self._address = _pinned(endpoint.address, first.peer)
        chain = first.observed.chain
        findings = Findings(str(endpoint.address), endpoint.server_name, first)
        findings.certificates = describe(chain, endpoint.now())
        if endpoint.verify is not None and chain:
            findings.untrusted = endpoint.verify(chain) or ""
        _note_times(findings, first)
        return findings

    async def go_on(self, findings: Findings) -> None:
        """Ask the rest, as far as it makes sense after the first answer."""
        first = findings.first
        if first.outcome is Outcome.NOT_TLS or (
            first.outcome is Outcome.SILENT and not first.first_bytes
        ):
            return
        findings.older = await self._ask(older_hello(findings.server_name))
        if findings.older is not None and not findings.certificates:
            findings.certificates = describe(findings.older.chain, self._endpoint.now())
        older_only = first.alert == AlertDescription.PROTOCOL_VERSION or not findings.speaks_tls
        if not first.observed.keys_agree and older_only:
            return
        if first.outcome is Outcome.COMPLETED:
            for _ in range(TIMED - 1):
                if (again := await self._shake(self._approach)) is not None:
                    _note_times(findings, again)
        await self._ask_the_rest(findings)

    async def _ask_the_rest(self, findings: Findings) -> None:
        approach = self._approach
        every_group = HYBRID_GROUPS + PRIVATE_GROUPS + CLASSICAL_GROUPS
        foreign = (FOREIGN_POST_QUANTUM, FOREIGN_CLASSICAL)
        # In this order they are told, whichever is answered first.
        findings.groups = dict.fromkeys((*every_group, *foreign[0], *foreign[1]), Result())
        x25519 = (NamedGroup.x25519,)
        async with asyncio.TaskGroup() as tasks:

            def later(ask: Callable[..., Awaitable[None]], *what: object) -> None:
                tasks.create_task(self._in_turn(ask, *what))

            for group in every_group:
                later(self._ask_group, findings, group)
            classical = replace(approach, groups=CLASSICAL_GROUPS, key_shares=x25519)
            later(self._note, findings, "classical", classical)
            later(self._note, findings, "retry", replace(approach, key_shares=x25519))
            for cut in (Cut.SEGMENTS, Cut.RECORDS):
                later(self._note, findings, cut.value, replace(approach, cut=cut))
            for groups in foreign:
                later(self._peel, findings, groups)

    async def _in_turn(self, ask: Callable[..., Awaitable[None]], *what: object) -> None:
        async with self._at_a_time:
            await ask(*what)

    async def _note(self, findings: Findings, field: str, approach: Approach) -> None:
        setattr(findings, field, await self._result(approach))

    async def _ask_group(self, findings: Findings, group: int) -> None:
        findings.groups[group] = await self._result(self._approach.only(group))

    async def _peel(self, findings: Findings, groups: Sequence[int]) -> None:
        """Ask for groups that we do not speak: one hello with all, then without the one it chose.

        Mostly that is one connection for all of them, because the server knows none.
        """
        left = list(groups)
        while left:
            answer = await self._ask(shareless_hello(left, self._endpoint.server_name))
            result = Result(Reply.UNCLEAR) if answer is None else Result.of_answer(answer)
            if result.is_positive and result.group not in left:
                result = Result(Reply.UNCLEAR, reason="it asks for a group that was not offered")
            if not result.is_positive or result.group is None:
                findings.groups |= dict.fromkeys(left, result)
                return
            findings.groups[result.group] = result
            left.remove(result.group)

    async def _result(self, approach: Approach) -> Result:
        handshake = await self._shake(approach)
        if handshake is None:
            return Result(Reply.UNCLEAR, reason="the server was not reached again")
        return Result.of_handshake(handshake)

    async def _shake_first(self) -> Handshake:
        approach = replace(self._approach, linger=min(LINGER, self._endpoint.patience / 2))
        return await shake_hands(self._address, approach, self._endpoint.patience)

    async def _shake(self, approach: Approach) -> Handshake | None:
        try:
            return await shake_hands(self._address, approach, self._endpoint.patience)
        except Unreachable:  # it was a moment ago: perhaps it has had enough of us
            return None

    async def _ask(self, hello: bytes) -> Answer | None:
        try:
            return await ask(self._address, hello, self._endpoint.patience)
        except Unreachable:
            return None


def _pinned(address: Address, peer: str) -> Address:
    try:
        return parse_target(peer)
    except ValueError:  # an IPv6 address with a zone, say
        return address


def _note_times(findings: Findings, handshake: Handshake) -> None:
    findings.connect_seconds.append(handshake.connect_seconds)
    if handshake.handshake_seconds is not None:
        findings.handshake_seconds.append(handshake.handshake_seconds)
