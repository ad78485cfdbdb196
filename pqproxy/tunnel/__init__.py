"""Many streams over one TLS connection: what two sidecars speak with each other, sans-IO.

It imports nothing of ours, and knows no socket, event loop, clock or log.
"""

TUNNEL_PROTOCOL = b"pqproxy/1"  # as ALPN names it; another version has another name
