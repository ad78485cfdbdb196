"""Clients that stop reading, in the tunnel that carries a live stream: it must not feel them."""

import socket
from contextlib import ExitStack

from tests.support.numbered_tokens import Tokens, echo_or_tokens
from tests.support.plain_server import serving
from tests.support.waiting import seconds_until, wait_until

STALLED = 100
PIECE = b"x" * 65_536
# For each of them 16 KB wait at the egress, which is what its window began with, and as much again
# at the ingress; a few windows may have grown before their readers stood still. Of read buffers
# (two megabytes each) eight of either kind may be lent to what waits.
MOST_MEMORY = 64 << 20


class Source:
    """Tokens for who asks for them; for everybody else as much as they take."""

    def __init__(self):
        self.flooding, self.sent, self._seen = 0, 0, 0

    def serve(self, connection):
        if connection.recv(16, socket.MSG_PEEK).startswith(b"GET /tokens"):
            echo_or_tokens(connection)
            return
        self.flooding += 1
        while True:
            self.sent += connection.send(PIECE)

    def stands_still(self):
        """Nothing more was taken since the last look."""
        before, self._seen = self._seen, self.sent
        return self.flooding == STALLED and before == self.sent


def test_clients_that_stop_reading_cost_little_and_hold_up_nobody(sidecars):
    source = Source()
    with serving(source.serve) as server, ExitStack() as opened:
        pair = sidecars.start_pair(server.forward)
        before = {sidecar: sidecar.resident() for sidecar in pair.sidecars}
        tokens = Tokens(pair.address)
        wait_until(lambda: tokens.received, "the live stream has begun")
        for _ in range(STALLED):
            client = opened.enter_context(socket.create_connection(pair.address, timeout=20))
            client.sendall(b"GET /bulk")
        wait_until(source.stands_still, "nobody takes more", interval=0.25)
        count = len(tokens.received)
        waited = seconds_until(lambda: len(tokens.received) > count + 1000, "tokens come on")
        numbers = tokens.finish()

        assert {line["transport"] for line in pair.egress.wait_for("connection")} == {"stream"}
        for sidecar in pair.sidecars:
            assert sidecar.resident() - before[sidecar] < MOST_MEMORY
    assert waited < 5  # half a second's worth, of a machine that does other things too
    assert numbers == list(range(len(numbers)))
