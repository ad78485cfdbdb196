"""A link is up when the ingress has said so, and not a moment before."""

import pytest

from pqproxy.proxy.tunnel_opening import open_tunnel
from pqproxy.proxy.visit import Ended
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from pqproxy.tls import AlertDescription
from pqproxy.tunnel import Settings
from pqproxy.tunnel.frames import FrameType, frame

from .conftest import Recorder
from .tunnels import connections


def settings(**said):
    return frame(FrameType.SETTINGS, 0, Settings(**said).encode())


def test_it_is_up_with_the_settings_of_the_ingress(world):
    client, server = connections(world)
    server.attach(Recorder())
    server._conn.send_data(settings(instance=7))
    server._send_output()
    link = world.run(open_tunnel(client, world.engine, 5))

    assert link.takes_streams
    assert link.instance == 7


def test_a_server_that_says_nothing_is_given_up(world):
    client, server = connections(world)
    server.attach(Recorder())
    with pytest.raises(Ended) as raised:
        world.run(open_tunnel(client, world.engine, 0.05))

    assert raised.value.end is EndReason.HANDSHAKE_TIMEOUT
    assert client.closed


def test_a_server_that_leaves_is_down(world):
    client, server = connections(world)
    server.abort(EndReason.INTERNAL_ERROR)
    with pytest.raises(Ended) as raised:
        world.run(open_tunnel(client, world.engine, 5))

    assert raised.value.reason is ReasonCode.UPSTREAM_DOWN
    assert client.closed


def test_a_server_that_refuses_us_after_the_handshake_is_quoted(world):
    """It judges our certificate when we take the handshake for done."""
    client, server = connections(world)
    server._conn.abort(AlertDescription.ACCESS_DENIED)
    server._send_output()
    with pytest.raises(Ended) as raised:
        world.run(open_tunnel(client, world.engine, 5))

    assert raised.value.end is EndReason.UPSTREAM_ALERT
    assert raised.value.detail == "peer said access_denied"
    assert "add our identity to its allow" in raised.value.fix


def test_a_server_that_is_up_and_leaves_in_one_breath_is_down(world):
    """Whoever dialled has not had time to say what becomes of the link, and would never hear."""
    client, server = connections(world)
    server.attach(Recorder())
    server._conn.send_data(settings(instance=7))
    server._conn.send_close_notify()
    server._send_output()
    with pytest.raises(Ended) as raised:
        world.run(open_tunnel(client, world.engine, 5))

    assert raised.value.end is EndReason.UPSTREAM_LEFT
    assert raised.value.reason is ReasonCode.UPSTREAM_DOWN
