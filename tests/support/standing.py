"""A pair for all the tests that leave it as it is: most of what they would take is to start one."""

from tests.support.plain_server import serving
from tests.support.sidecars import free_port
from tests.support.waiting import wait_until


class Standing:
    """Nobody is where the ingress forwards to, but while a test serves there."""

    def __init__(self, sidecars):
        self.certificates = sidecars.certificates
        self.port = free_port()
        self._pair = sidecars.start_pair(f"127.0.0.1:{self.port}")
        self.egress, self.ingress = self._pair.egress, self._pair.ingress
        self.address = self._pair.address
        self.sidecars = self._pair.sidecars

    def serving(self, behaviour):
        """A server behind it, for the length of a block."""
        return serving(behaviour, self.port)

    def settle(self):
        """Wait until it carries nothing more, and forget what it said."""
        for sidecar in self.sidecars:
            wait_until(lambda one=sidecar: active(one) == 0, "nothing is left", 20)
            sidecar.forget()


def active(sidecar):
    """Connections that a sidecar holds, by its metrics, without those that are tunnels."""
    lines = sidecar.metrics().splitlines()

    def total(name):
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))

    return total("pqproxy_connections_active") - total("pqproxy_tunnels_active")
