"""Everything an operator does at once, under load: reloads, and a worker that is killed.

SOAK_SECONDS makes it longer than a test run wants it.
"""

import os
import re
import signal
import time

from tests.support.numbered_tokens import Tokens, echo_or_tokens
from tests.support.plain_server import serving
from tests.support.pump import Pump
from tests.support.sidecars import Pair, egress, free_port
from tests.support.tunnels import meets_both
from tests.support.waiting import wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "5"))
PUMPS = 10


def test_nothing_is_lost_but_what_a_killed_worker_carried(sidecars):
    """Every byte arrives as sent; who rode on the killed worker sees a reset, no clean end."""
    with serving(echo_or_tokens) as server:
        front = sidecars.start_ingress(server.forward, settings={"workers": 2})
        document = egress(sidecars.certificates, f"127.0.0.1:{free_port()}", front.listen)
        pair = Pair(meets_both(sidecars, document), front)
        pumps = [Pump(pair.address) for _ in range(PUMPS)]
        streams = [Tokens(pair.address) for _ in range(2)]
        begun = time.monotonic()
        changed = front.document["ingress"][0] | {"timeouts": {"connect": "3s"}}

        assert front.reload(front.document | {"ingress": [changed]}).returncode == 0
        victim = front.status()["workers"][0]["pid"]
        closed = len(pair.egress.lines("tunnel_closed"))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: "was killed by signal 9" in front.log(), "its end is said")
        pair.egress.wait_for("tunnel_closed", closed + 1)  # or they would ride on it still
        late = [Pump(pair.address) for _ in range(4)]  # while one worker is missing
        wait_until(lambda: front.probe("/readyz") == 200, "it is replaced", 20)
        assert front.reload(front.document).returncode == 0
        assert pair.egress.reload(pair.egress.document).returncode == 0
        time.sleep(max(0.0, SECONDS - (time.monotonic() - begun)))
        whole = [pump.finish() for pump in pumps]
        numbers = [stream.finish() for stream in streams]

        assert all(pump.finish() for pump in late)
    cut = int(re.search(rf"worker {victim} .* cut (\d+) connections", front.log())[1])
    broken = [one.broken for one in (*pumps, *streams) if one.broken is not None]
    assert 0 <= cut - len(broken) <= 1  # a tunnel that is not up yet is a connection, too
    assert all(isinstance(error, ConnectionResetError | BrokenPipeError) for error in broken)
    assert whole == [pump.broken is None for pump in pumps]
    assert all(found == list(range(len(found))) for found in numbers)
    assert 0 < len(broken) < PUMPS + 2
