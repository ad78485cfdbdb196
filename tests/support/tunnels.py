"""Egresses by what tunnels they have."""

import re

from tests.support.waiting import wait_until


def meets_both(sidecars, document):
    """An egress with a tunnel to each of two workers; in one start of 128 all dials meet one."""
    for _ in range(3):
        beside = sidecars.start("egress", document).wait_until_ready()
        wait_until(lambda one=beside: tunnels(one) == 2 or handshakes(one) == 8, "it has looked")
        if tunnels(beside) == 2:
            return beside
        beside.stop()
    raise AssertionError("it never met the other worker")


def tunnels(sidecar):
    return len(sidecar.lines("tunnel_up"))


def handshakes(sidecar):
    done = re.findall(r"^pqproxy_handshakes_total\{.*\} (\S+)$", sidecar.metrics(), re.MULTILINE)
    return sum(map(float, done))
