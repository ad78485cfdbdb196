"""Two tunnels, wired to each other by hand."""

from pqproxy.tunnel import DATA, Budget, Came, Open, Role, Settings, Tunnel

WINDOW = 1024
MAX_STREAMS = 8


class Pair:
    """An egress and an ingress; time passes only when a test says so."""

    def __init__(self, window=WINDOW, max_streams=MAX_STREAMS, budget=1 << 20, max_record=16_384):
        self.now = 100.0
        self.budget = Budget(budget)
        self.egress = Tunnel(
            Role.EGRESS, Settings(1, window, 0), Budget(budget), max_record, self.now
        )
        self.ingress = Tunnel(
            Role.INGRESS, Settings(2, window, max_streams), self.budget, max_record, self.now
        )

    def move(self, sender):
        """What the other one makes of everything that `sender` has to say."""
        receiver = self.ingress if sender is self.egress else self.egress
        events = []
        while records := sender.take_records(16, self.now):
            whole = [memoryview(b"".join(pieces)) for pieces in records]
            events += receiver.receive(whole, self.now)
        return [
            (kind, stream, b"".join(value) if kind == DATA else value)
            for kind, stream, value in events
        ]

    def settle(self):
        """Until nobody has anything to say."""
        events = []
        while came := self.move(self.egress) + self.move(self.ingress):
            events += came
        return events

    def up(self):
        """Both have said their SETTINGS."""
        self.settle()
        return self

    def open(self, **said):
        """(the egress' stream, the ingress')."""
        ours = self.egress.open(Open(**said), self.now)
        ((kind, theirs, _),) = [event for event in self.move(self.egress) if event[0] is Came.OPEN]
        assert kind is Came.OPEN
        return ours, theirs
