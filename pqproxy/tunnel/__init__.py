"""Many streams over one TLS connection, sans-IO: frames, windows, order of leaving, ends.

Imports nothing of ours. `Tunnel` is one side; `proxy/tunnel_link.py` gives it a connection.
"""

from pqproxy.tunnel.errors import ErrorCode, TunnelError
from pqproxy.tunnel.events import DATA, Came, Event
from pqproxy.tunnel.frames import GoAway, Open, Reset, Role, Settings
from pqproxy.tunnel.lone import stream_of_lone
from pqproxy.tunnel.runs import FrameRun
from pqproxy.tunnel.stream import Stream
from pqproxy.tunnel.tunnel import Tunnel
from pqproxy.tunnel.windows import BUDGET, INITIAL_WINDOW, Budget, ReceiveWindow

# In ALPN; the version of the framing is part of it.
TUNNEL_PROTOCOL = b"pqproxy/1"

__all__ = [
    "BUDGET",
    "DATA",
    "INITIAL_WINDOW",
    "TUNNEL_PROTOCOL",
    "Budget",
    "Came",
    "ErrorCode",
    "Event",
    "FrameRun",
    "GoAway",
    "Open",
    "ReceiveWindow",
    "Reset",
    "Role",
    "Settings",
    "Stream",
    "Tunnel",
    "TunnelError",
    "stream_of_lone",
]
