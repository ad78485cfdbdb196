"""Where the data path of some settings connects to: what a confined worker must reach."""

from dataclasses import dataclass

from pqproxy.config.addresses import ip_literal
from pqproxy.config.values import Settings, TcpAddress


@dataclass(frozen=True, slots=True)
class Upstreams:
    """TCP ports, and whether a host is a name. Unix sockets are no matter of rights."""

    ports: frozenset[int]
    named: bool

    def cover(self, other: "Upstreams") -> bool:
        """Whether a worker that was confined to these can serve others."""
        return other.ports <= self.ports and self.named >= other.named


def upstreams(settings: Settings) -> Upstreams:
    """Collect them from every listener."""
    addresses = [listener.forward for listener in settings.ingress]
    addresses += [address for listener in settings.egress for address in listener.connect]
    tcp = [address for address in addresses if isinstance(address, TcpAddress)]
    return Upstreams(
        frozenset(address.port for address in tcp),
        any(ip_literal(address.host) is None for address in tcp),
    )
