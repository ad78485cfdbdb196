"""What holds for every tunnel: any bytes, any packing, any order in which two sides act."""

from collections import deque

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pqproxy.tunnel import (
    DATA,
    Budget,
    Came,
    ErrorCode,
    GoAway,
    Open,
    Reset,
    Role,
    Settings,
    Tunnel,
    TunnelError,
)
from pqproxy.tunnel.frames import FrameType, frame, window

RECORD = 1024
WINDOW = 3000
STREAMS = 4
BUDGET = 16 * WINDOW
ANSWERS = 100  # bytes that may wait to answer one frame: RESET with its word

roles = st.sampled_from(Role)
numbers = st.one_of(st.integers(0, 12), st.sampled_from([2**31 - 1, 2**31, 2**32 - 1]))
near = st.sampled_from([1, 3])
grants = st.sampled_from([0, 1, WINDOW, 2**31 - 1, 2**31, 2**32 - 1])
texts = st.text(max_size=10)
said = {
    FrameType.SETTINGS: st.builds(
        Settings, st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2**31 - 1, 2**31])
    ).map(Settings.encode),
    FrameType.OPEN: st.builds(Open, texts, texts, st.integers(0, 255)).map(Open.encode),
    FrameType.DATA: st.sampled_from([0, 1, WINDOW - 1, WINDOW, WINDOW + 1]).map(bytes),
    FrameType.END: st.just(b""),
    FrameType.RESET: st.builds(Reset, st.integers(0, 2**16 - 1), texts).map(Reset.encode),
    FrameType.WINDOW: grants.map(lambda grant: grant.to_bytes(4, "big")),
    FrameType.PING: st.binary(min_size=8, max_size=8),
    FrameType.PONG: st.integers(0, 3).map(lambda number: number.to_bytes(8, "big")),
    FrameType.GOAWAY: st.builds(GoAway, numbers, st.integers(0, 12), texts).map(GoAway.encode),
}
sound_frames = st.sampled_from(FrameType).flatmap(
    lambda kind: st.builds(frame, st.just(kind), numbers, said[kind])
)
# What an honest peer may say of streams that are open.
likely_frames = st.one_of(
    st.builds(frame, st.just(FrameType.DATA), near, st.sampled_from([1, 9, WINDOW]).map(bytes)),
    st.builds(window, near, st.sampled_from([1, WINDOW])),
    st.builds(frame, st.just(FrameType.END), near),
    st.builds(frame, st.just(FrameType.RESET), near, said[FrameType.RESET]),
    st.builds(frame, st.just(FrameType.PING), st.just(0), said[FrameType.PING]),
    st.builds(frame, st.just(FrameType.PONG), st.just(0), said[FrameType.PONG]),
    st.builds(frame, st.just(FrameType.OPEN), st.sampled_from([5, 7]), said[FrameType.OPEN]),
)
odd_frames = st.builds(
    lambda kind, number, payload: (
        (len(payload) << 8 | kind).to_bytes(4, "big") + number.to_bytes(4, "big") + payload
    ),
    st.integers(0, 255),
    numbers,
    st.binary(max_size=20),
)
any_frames = st.one_of(sound_frames, odd_frames)
# First what may well be, for it to come to something; then whatever.
conversations = st.builds(
    lambda likely, strange: [*likely, *strange],
    st.lists(likely_frames, max_size=12),
    st.lists(st.one_of(st.binary(max_size=60), any_frames), max_size=2),
)


def tunnel(role, budget=None):
    return Tunnel(role, Settings(1, WINDOW, STREAMS), budget or Budget(BUDGET), RECORD, 0.0)


def with_streams(role, budget):
    """A tunnel that is up, with streams 1 and 3 open."""
    side = tunnel(role, budget)
    side.receive([frame(FrameType.SETTINGS, 0, Settings(2, WINDOW, STREAMS).encode())], 0.0)
    for number in (1, 3):
        if role is Role.EGRESS:
            side.open(Open(), 0.0)
        else:
            side.receive([frame(FrameType.OPEN, number, Open().encode())], 0.0)
    return side


def events_of(side, groups):
    """All events, up to the one that ends it."""
    for group in groups:
        for event in side.receive([memoryview(record) for record in group], 1.0):
            yield event
            if event[0] is Came.BROKEN:
                return


@settings(max_examples=200)
@given(roles, st.sampled_from([True, True, True, False]), conversations, st.booleans())
def test_any_bytes_are_taken_or_refused_and_nothing_grows(role, up, records, together):
    """A peer can make us refuse; it can never make us crash, nor keep more than we granted."""
    budget = Budget(BUDGET)
    side = with_streams(role, budget) if up else tunnel(role, budget)
    before = side.outbox.length
    owned = {stream.id: stream for stream in side.streams.values()}
    over, taken = set(), 0
    groups = [records] if together else [[record] for record in records]
    for kind, stream, value in events_of(side, groups):
        if kind is Came.OPEN:
            assert stream.id not in owned
            owned[stream.id] = stream
        elif kind == DATA:
            assert all(value)
            assert stream not in over
            taken += sum(map(len, value))
        elif kind in (Came.END, Came.RESET):
            assert kind is Came.RESET or stream not in over
            over.add(stream)
        elif kind is Came.BROKEN:
            assert value.rule
            assert value.code is ErrorCode.PROTOCOL_ERROR

    assert len(side.streams) <= STREAMS
    assert taken <= WINDOW * len(owned)
    assert side.outbox.length <= before + ANSWERS * len(records)
    for stream in owned.values():
        stream.receive.release()
    assert budget.left == BUDGET


def read(side, groups):
    """What a tunnel makes of records, as values: data of one stream in a row is one."""
    found = []
    for kind, stream, value in events_of(side, groups):
        number = None if stream is None else stream.id
        if kind == DATA:
            content = b"".join(value)
            if found and found[-1][:2] == (DATA, number):
                content = found.pop()[2] + content
            found.append((DATA, number, content))
        else:
            found.append((kind, number, str(value) if kind is Came.BROKEN else value))
    return found


@settings(max_examples=150)
@given(roles, st.lists(st.one_of(*[likely_frames] * 5, any_frames), max_size=8), st.data())
def test_frames_mean_the_same_however_they_are_packed(role, sent, data):
    """Apart, all in one, or as it comes: also what a broken rule in their midst leaves of them."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(sent)), max_size=3)))
    parts = [b"".join(sent[a:b]) for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    packings = [[[each] for each in sent], [sent], [[b"".join(sent)]], [parts]]
    found = [read(with_streams(role, Budget(BUDGET)), packing) for packing in packings]

    assert found == [found[0]] * 4


class Half:
    """One direction of one stream, as the reference knows it."""

    def __init__(self):
        self.sent = self.received = self.consumed = 0
        self.ended = self.heard_end = False

    def content(self, length):
        """The next bytes: each tells its place."""
        start, self.sent = self.sent, self.sent + length
        return bytes(place % 251 for place in range(start, self.sent))

    def take(self, content):
        """What came must be what is next."""
        start, self.received = self.received, self.received + len(content)
        assert content == bytes(place % 251 for place in range(start, self.received))
        assert self.received <= self.sent
        assert not self.heard_end


class End:
    """What one side knows of one stream: the `Stream`, and which half it reads."""

    def __init__(self, stream, reads, writes):
        self.stream, self.reads, self.writes = stream, reads, writes
        self.over = False  # reset, by either side: nothing more may come

    def look(self):
        """As its owner does: give the window back when nothing is left to do."""
        done = self.stream.gone and self.reads.consumed == self.reads.received
        if self.over or done:
            self.stream.receive.release()


class TwoTunnels(RuleBasedStateMachine):
    """An egress and an ingress with sockets between them that take a few records."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.budgets = {role: Budget(BUDGET) for role in Role}
        self.tunnels = {role: tunnel(role, self.budgets[role]) for role in Role}
        self.sockets = {role: deque() for role in Role}  # what that side has sent
        self.ends = {role: {} for role in Role}
        self.halves = {}  # stream -> those that egress and ingress write
        self.farewells = set()
        for _ in range(3):
            self.carry_everything()
        for _ in range(2):
            self.open()

    # What either side does.

    @precondition(lambda self: self.tunnels[Role.EGRESS].takes_streams)
    @rule()
    def open(self):
        side, last = self.tunnels[Role.EGRESS], max(self.halves, default=-1)
        if self.budgets[Role.EGRESS].left < WINDOW:
            with pytest.raises(TunnelError, match="budget"):
                side.open(Open(), self.now)
            return
        stream = side.open(Open(), self.now)
        assert stream.id > last
        halves = self.halves[stream.id] = (Half(), Half())
        self.ends[Role.EGRESS][stream.id] = End(stream, halves[1], halves[0])

    def choose(self, role, index):
        """One of the streams that this side can still do something with."""
        found = [end for end in self.ends[role].values() if not end.over]
        return found[index % len(found)] if found else None

    @rule(role=roles, index=st.integers(0, 5), length=st.integers(1, 3 * WINDOW))
    def write(self, role, index, length):
        end = self.choose(role, index)
        if end is not None and not end.stream.ended_by_us:
            outbox = self.tunnels[role].outbox
            length = min(length, end.stream.send_window, outbox.most_data)
            if length:
                outbox.put_data(end.stream, end.writes.content(length))

    @rule(role=roles, index=st.integers(0, 5), how=st.sampled_from(["end", "reset", "", ""]))
    def finish(self, role, index, how):
        end = self.choose(role, index)
        if end is not None and how == "end":
            self.tunnels[role].end(end.stream)
            end.writes.ended = True
            end.look()
        elif end is not None and how == "reset":
            self.tunnels[role].reset(end.stream, Reset(ErrorCode.CANCELLED))
            end.over = True
            end.look()

    @rule(role=roles, index=st.integers(0, 5), length=st.integers(1, 2 * WINDOW))
    def consume(self, role, index, length):
        end = self.choose(role, index)
        if end is not None:
            length = min(length, end.reads.received - end.reads.consumed)
            end.reads.consumed += length
            self.tunnels[role].consumed(end.stream, length)
            end.look()

    @rule(role=roles, really=st.integers(0, 3))
    def go_away(self, role, really):
        if not really:
            self.farewells.add(role)
            self.tunnels[role].go_away(ErrorCode.NONE, "", self.now)

    # What carries them.

    @rule(role=roles, room=st.integers(1, 4), later=st.sampled_from([0.0, 0.001, 1.0]))
    def flush(self, role, room, later):
        self.now += later
        free = room - len(self.sockets[role])
        if free > 0:
            records = self.tunnels[role].take_records(free, self.now)
            assert len(records) <= free
            self.sockets[role] += [b"".join(pieces) for pieces in records]

    @rule(role=roles, count=st.integers(1, 6))
    def carry(self, role, count):
        """Some records of what `role` sent."""
        other = Role.INGRESS if role is Role.EGRESS else Role.EGRESS
        socket = self.sockets[role]
        records = [socket.popleft() for _ in range(min(count, len(socket)))]
        assert all(len(record) <= RECORD for record in records)
        for event in self.tunnels[other].receive([memoryview(each) for each in records], self.now):
            self.came(other, *event)

    def came(self, role, kind, stream, value):
        ends = self.ends[role]
        if kind is Came.OPEN:
            assert stream.id not in ends
            egress, ingress = self.halves[stream.id]
            ends[stream.id] = End(stream, egress, ingress)
        elif stream is not None:
            end = ends[stream.id]
            assert end.stream is stream
            assert not end.over
            if kind == DATA:
                end.reads.take(b"".join(value))
                assert end.reads.received - end.reads.consumed <= stream.receive.size
            elif kind is Came.END:
                assert end.reads.ended
                assert end.reads.received == end.reads.sent
                end.reads.heard_end = True
            elif kind is Came.RESET:
                assert value.code == ErrorCode.CANCELLED  # nothing honest is refused
                end.over = True
            end.look()
        else:
            assert kind is not Came.BROKEN

    def carry_everything(self):
        for role in Role:
            self.flush(role, 1000, 0.0)
            while self.sockets[role]:
                self.carry(role, 4)

    # What must hold.

    @invariant()
    def windows_and_budgets_are_kept(self):
        for role in Role:
            side, ends = self.tunnels[role], self.ends[role].values()
            assert not (side.is_done and (side.streams or side.outbox.length))
            promised = sum(end.stream.receive.size for end in ends)
            assert self.budgets[role].left == BUDGET - promised
            assert self.budgets[role].left >= 0
            for end in ends:
                assert end.stream.send_window >= 0

    @property
    def whole(self):
        """Streams that nobody reset, as both sides know them."""
        egress, ingress = (self.ends[role] for role in (Role.EGRESS, Role.INGRESS))
        both = [(egress[number], ingress[number]) for number in egress if number in ingress]
        return [pair for pair in both if not (pair[0].over or pair[1].over)]

    def teardown(self):
        """Once everybody reads, whatever anybody still has to say arrives: nothing is stuck."""
        for _ in range(40):
            self.carry_everything()
            for role in Role:
                for index in range(len(self.ends[role])):
                    self.consume(role, index, BUDGET)
        for ours, theirs in self.whole:
            for role, end in ((Role.EGRESS, ours), (Role.INGRESS, theirs)):
                if not end.stream.ended_by_us:
                    self.send_much(role, end)
                assert end.writes.received == end.writes.sent
        assert not self.tunnels[Role.EGRESS].outbox.length
        for role in Role:
            for index in range(len(self.ends[role])):
                self.finish(role, index, "reset")
        self.carry_everything()
        self.carry_everything()
        for role in Role:
            assert not self.tunnels[role].streams
            assert self.budgets[role].left == BUDGET
            assert self.tunnels[role].is_done == bool(self.farewells)

    def send_much(self, role, end):
        """More than any window, so that it has to be granted again and again."""
        other = Role.INGRESS if role is Role.EGRESS else Role.EGRESS
        goal = end.writes.sent + 6 * WINDOW
        reader = self.ends[other][end.stream.id]
        for _ in range(100):
            length = min(end.stream.send_window, goal - end.writes.sent, 900)
            if length:
                self.tunnels[role].outbox.put_data(end.stream, end.writes.content(length))
            self.carry_everything()
            unread = end.writes.received - end.writes.consumed
            end.writes.consumed += unread
            self.tunnels[other].consumed(reader.stream, unread)
        assert end.writes.received == goal


TestTwoTunnels = TwoTunnels.TestCase
TestTwoTunnels.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
