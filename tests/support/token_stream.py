"""Reads a streamed completion from a raw socket, and notes when its tokens came and how."""

import socket
import time
from dataclasses import dataclass, field
from itertools import pairwise

from tests.support.model_server import completion_request


@dataclass
class TokenStream:
    """What one completion looked like to its client."""

    arrivals: list[float] = field(default_factory=list)  # of each read that held tokens
    tokens: int = 0
    coalesced: int = 0  # tokens that came in a read together with an earlier one

    @property
    def gaps(self):
        return [later - earlier for earlier, later in pairwise(self.arrivals)]


def stream(address, prompt, max_tokens):
    """Read a completion to its end."""
    found = TokenStream()
    with socket.create_connection(address, timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(completion_request(prompt, max_tokens))
        while data := connection.recv(1 << 16):
            now = time.perf_counter()
            tokens = data.count(b'"delta":{"content":"')
            if tokens:
                found.arrivals.append(now)
                found.tokens += tokens
                found.coalesced += tokens - 1
    return found


def percentile(values, share):
    """The value that `share` of the values do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
