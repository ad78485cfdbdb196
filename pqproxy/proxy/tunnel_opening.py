"""The egress' way to a tunnel: from a connection whose server selected pqproxy/1 to a link.

It is up when the ingress has said its SETTINGS, which it does only for a peer that may come in.
"""

from __future__ import annotations

import asyncio
import time

from pqproxy.proxy.descriptor import UPSTREAM, Engine
from pqproxy.proxy.peer_alerts import fix_for_alert
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.proxy.tunnel_stream import TunnelStream
from pqproxy.proxy.visit import Ended
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.tunnel import INITIAL_WINDOW, Open, Role, Settings, Tunnel, TunnelError


async def open_tunnel(tls: TlsDuplex, engine: Engine, patience: float | None) -> TunnelLink:
    """Make a tunnel of a connection, and wait until it is up, for `patience` seconds.

    Raises Ended; the connection is closed then.
    """
    if tls.closed:
        detail = "the server left before the tunnel was up"
        raise _why_not(tls, TunnelEnd.PEER_LEFT, detail)
    settings = Settings(engine.instance, INITIAL_WINDOW, max_streams=0)
    try:
        tunnel = Tunnel(Role.EGRESS, settings, engine.budget, tls.max_fragment, time.monotonic())
    except TunnelError as error:
        tls.abort(EndReason.PROTOCOL_ERROR)
        raise Ended(EndReason.PROTOCOL_ERROR, error.rule, ReasonCode.PROTOCOL_ERROR) from None
    link = TunnelLink(tls, tunnel, engine, _opened_by_ingress)
    up: asyncio.Future[None] = engine.poller.loop.create_future()

    def on_up() -> None:
        if not up.done():
            up.set_result(None)

    gone: list[Ended] = []  # it was up, and is not: nobody else would hear of that

    def on_gone(end: TunnelEnd, detail: str) -> None:
        if up.done():
            gone.append(_why_not(tls, end, detail))
        else:
            up.set_exception(_why_not(tls, end, detail))

    link.on_up, link.on_gone = on_up, on_gone
    try:
        async with asyncio.timeout(patience):
            await up
    except TimeoutError:
        link.close(TunnelEnd.TIMEOUT, "no SETTINGS")
        detail = f"the server selected pqproxy/1 and said nothing for {patience:g} s"
        raise Ended(EndReason.HANDSHAKE_TIMEOUT, detail, ReasonCode.HANDSHAKE_TIMEOUT) from None
    except asyncio.CancelledError:
        link.close(TunnelEnd.RETIRED, "not wanted any more")
        raise
    if gone:
        raise gone[0]
    return link


def _why_not(tls: TlsDuplex, end: TunnelEnd, detail: str) -> Ended:
    """An ingress that refuses us says so by an alert, where its SETTINGS would have come."""
    failed = tls.failed
    if failed is None or not failed.by_peer:
        why = detail or f"the tunnel ended: {end}"
        return Ended(EndReason.UPSTREAM_LEFT, why, ReasonCode.UPSTREAM_DOWN)
    fix = fix_for_alert(failed.alert, UPSTREAM, tls.handshake.result())
    return Ended(EndReason.UPSTREAM_ALERT, failed.reason, None, fix)


def _opened_by_ingress(stream: TunnelStream, said: Open) -> None:
    raise AssertionError("the framing lets no ingress open streams")
