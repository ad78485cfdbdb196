"""A peer of a tunnel that has our keys and says what no honest one would."""

import time

from pqproxy.proxy.buffers import LooseBatch
from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.tunnel import Budget, Open, Role, Settings, Tunnel
from pqproxy.tunnel.frames import HEADER, FrameType, frame
from tests.unit.proxy.tunnels import connections

RECORD = 16_384
WINDOW = 16_384
MAX_STREAMS = 100
BUDGET = 1 << 24


def opened(number):
    """OPEN, in as few bytes as it can be said."""
    return frame(FrameType.OPEN, number, Open().encode())


def data(number, content):
    """DATA."""
    return frame(FrameType.DATA, number, content)


def packed(frames):
    """Records that are full of frames."""
    record = bytearray()
    for each in frames:
        if len(record) + len(each) > RECORD:
            yield bytes(record)
            record.clear()
        record += each
    yield bytes(record)


def frames_of(records):
    """(type, stream, payload) of each frame."""
    found = []
    for record in records:
        position = 0
        while position < len(record):
            word, number = HEADER.unpack_from(record, position)
            end = position + 8 + (word >> 8)
            found.append((FrameType(word & 0xFF), number, bytes(record[position + 8 : end])))
            position = end
    return found


class Rogue:
    """Stands opposite `link`, of which `role` says what it is, and speaks frames by hand.

    Attributes:
        opened: the streams that the link welcomed.
        on_opened: what is done with each of them.
        ended: what became of the link: (end, detail).
        heard: the records that came from it.
        heard_end: it has closed its direction.
        polite: we close ours, then.
    """

    def __init__(self, world, role=Role.INGRESS, settings=None, small=False, budget=BUDGET):
        self.world, self.opened, self.ended = world, [], None
        self.heard, self.heard_end = [], False
        self.on_opened = lambda stream: None
        self.polite = True
        self.budget = Budget(budget)
        client, server = connections(world, small)
        ours, self.tls = (server, client) if role is Role.INGRESS else (client, server)
        self.victim = ours
        own = Settings(1, WINDOW, MAX_STREAMS if role is Role.INGRESS else 0)
        tunnel = Tunnel(role, own, self.budget, ours.max_fragment, time.monotonic())
        self.link = TunnelLink(ours, tunnel, world.engine, self._welcome)
        self.link.on_gone = self._on_gone
        self.tls.attach(self)
        self.tls.resume()
        self.say(frame(FrameType.SETTINGS, 0, (settings or Settings(2, WINDOW, 1000)).encode()))
        world.until(lambda: self.link.instance and self.heard)

    def _welcome(self, stream, _said):
        self.opened.append(stream)
        self.on_opened(stream)

    def _on_gone(self, end, detail):
        self.ended = (end, detail)

    def say(self, *frames):
        """Send these, in as few records as they fit."""
        for record in packed(frames):
            self.tls.write(LooseBatch(self.world.pool, [record]))

    def frames(self):
        """What the link has said until now."""
        return frames_of(self.heard)

    # As a sink.

    def on_data(self, batch):
        self.heard += [bytes(piece) for piece in batch.fragments]

    def on_end(self):
        self.heard_end = True
        if self.polite:
            self.tls.end()

    def on_abort(self, reason):
        pass

    def on_writable(self):
        pass

    def on_closed(self):
        pass
