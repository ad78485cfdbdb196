"""Everything that a row can be measured for, by name."""

from bench.envoy import Envoy
from bench.floor import Floor
from bench.haproxy import HAProxy
from bench.nginx import Nginx
from bench.pair import Peer
from bench.sidecars import Sidecars

DIRECT = "direct"  # no proxies at all

CONTENDERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Sidecars(),
        Envoy(),
        Nginx(),
        HAProxy(),
        Floor(),
        Sidecars("pqproxy-unpadded", listener="padding: none"),
        # One TLS connection for each client connection, as with peers that know no tunnels.
        Sidecars("pqproxy-never", listener="tunnel: {mode: never}"),
        Sidecars("pqproxy-2", workers=2),
        Envoy("envoy-2", workers=2),
        Nginx("nginx-2", workers=2),
        HAProxy("haproxy-2", workers=2),
    )
}
