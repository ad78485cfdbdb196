"""Stands in for `pqproxy.proxy`: speaks the channel, holds connections, obeys clients.

A client orders by sending `die`, `hang`, `rubbish` or `endless`; to `who` it gets the pid, to
`told` the listeners of the last `withdraw`. Anything else is echoed. `FAKE_WORKER=broken` fails at
the start, `FAKE_WORKER=silent` never gets ready.
A change to settings with a listener `unwanted` is refused, one with `deadly` kills it, one with
`ignored` is not answered.
"""

import itertools
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time

from pqproxy.proxy.channel import FrameReader, WorkerChange, WorkerStart, encode_frame
from pqproxy.proxy.handover import receive_sockets
from pqproxy.telemetry.callers import Caller
from pqproxy.telemetry.counters import WorkerCounters
from pqproxy.telemetry.ledger import Entry, Protection
from pqproxy.telemetry.reasons import EndReason

PROTECTION = Protection("x25519", False, "TLS_AES_256_GCM_SHA384", "mldsa65", None, False)


class FakeWorker:
    def __init__(self, channel, handover):
        self.channel = socket.socket(fileno=channel)
        self.handover = socket.socket(fileno=handover)
        self.frames = FrameReader()
        self.selector = selectors.DefaultSelector()
        self.listening = {}  # sockets by listener
        self.prepared = None
        self.covered = {}  # the same, by place
        self.connections = set()
        self.deadline = None
        self.finished = 0
        self.start = None
        self.withdrawn = "nothing"

    def say(self, **message):
        self.channel.sendall(encode_frame(json.dumps(message).encode()))

    def run(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.selector.register(self.channel, selectors.EVENT_READ, self.hear)
        while True:
            for key, _ in self.selector.select(0.02):
                key.data(key.fileobj)
            if self.deadline is not None:
                self.finish_drain()

    def hear(self, channel):
        data = channel.recv(1 << 20)
        if not data:
            sys.exit(0)  # the supervisor died
        for frame in self.frames.feed(data):
            if self.start is None:
                self.begin(WorkerStart.decode(frame))
            else:
                self.obey(json.loads(frame))

    def begin(self, start):
        self.start = start
        settings = start.settings
        roles = dict.fromkeys([one.name for one in settings.ingress], "ingress")
        roles |= dict.fromkeys([one.name for one in settings.egress], "egress")
        self.counters = WorkerCounters(roles)
        mode = os.environ.get("FAKE_WORKER")
        if mode == "broken":
            self.say(event="failed", error="provider liboqs is missing")
            sys.exit(1)
        for name, descriptors in start.listeners.items():
            self.listen(name, [socket.socket(fileno=descriptor) for descriptor in descriptors])
        if mode != "silent":
            self.say(event="ready")

    def listen(self, name, sockets):
        self.listening[name] = sockets
        self.watch(name, sockets)

    def watch(self, name, sockets):
        for listening in sockets:
            self.selector.register(
                listening, selectors.EVENT_READ, lambda one, name=name: self.accept(one, name)
            )

    def stop_listening(self):
        for sockets in self.listening.values():
            for listening in sockets:
                self.selector.unregister(listening)
        listening, self.listening = self.listening, {}
        return listening

    def prepare(self, number, change):
        names = set(change.settings.roles)
        if "deadly" in names:
            os.kill(os.getpid(), signal.SIGKILL)
        counts = [count for count in change.sockets.values() if isinstance(count, int)]
        new = receive_sockets(self.handover, number, sum(counts))
        if "ignored" in names:
            return
        if "unwanted" in names:
            self.say(event="unprepared", id=number, error="it is not wanted")
            return
        self.prepared = change, new
        self.say(event="prepared", id=number)

    def commit(self, number):
        change, new = self.prepared
        before = self.stop_listening()
        self.counters.cover(change.settings.roles)
        for name in self.counters.listeners.keys() - change.settings.roles.keys():
            if not any(self.counters.listeners[name].active.values()):
                del self.counters.listeners[name]
        for name, source in change.sockets.items():
            if isinstance(source, str):
                self.listen(name, before.pop(source))
            else:
                self.listen(name, [new.pop(0) for _ in range(source)])
        for sockets in before.values():
            for listening in sockets:
                listening.close()
        self.say(event="committed", id=number)

    def cover(self, number, place, counts):
        arrived = iter(receive_sockets(self.handover, number, sum(counts.values())))
        self.covered[place] = {
            name: list(itertools.islice(arrived, count)) for name, count in counts.items()
        }
        for name, sockets in self.covered[place].items():
            self.watch(name, sockets)

    def uncover(self, place):
        for sockets in self.covered.pop(place).values():
            for listening in sockets:
                self.selector.unregister(listening)
                listening.close()

    def obey(self, message):
        if message["op"] == "snapshot":
            snapshot = self.counters.snapshot()
            evidence = self.counters.take_evidence()
            self.say(
                event="snapshot", id=message["id"], counters=snapshot, evidence=evidence, status={}
            )
        elif message["op"] == "prepare":
            self.prepare(message["id"], WorkerChange.decode(message["change"]))
        elif message["op"] == "commit":
            self.commit(message["id"])
        elif message["op"] == "cover":
            self.cover(message["id"], message["place"], message["sockets"])
        elif message["op"] == "uncover":
            self.uncover(message["place"])
        elif message["op"] == "withdraw":
            names = sorted(WorkerChange.decode(message["change"]).settings.roles)
            self.withdrawn = ", ".join(names)
        elif message["op"] in ("drain", "stop"):
            for place in list(self.covered):
                self.uncover(place)
            for sockets in self.stop_listening().values():
                for listening in sockets:
                    listening.close()
            self.deadline = time.monotonic() + message.get("timeout", 0)

    def accept(self, listening, name):
        try:
            connection, _ = listening.accept()
        except OSError:  # another one was faster, or we were told to go in this very turn
            return
        source = Caller.of(None, "127.0.0.1")
        evidence = self.counters.listeners[name].evidence
        evidence.ledger.note(Entry(source, PROTECTION), "127.0.0.1", time.time())
        self.connections.add(connection)
        self.counters.listeners[name].opened()
        self.selector.register(connection, selectors.EVENT_READ, lambda one: self.serve(one, name))

    def serve(self, connection, name):
        data = connection.recv(1000)
        if data == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        if data == b"who":
            data = str(os.getpid()).encode()
        if data == b"told":
            data = self.withdrawn.encode()
        if data == b"hang":
            time.sleep(1000)
        if data == b"rubbish":
            self.channel.sendall(encode_frame(b"[1, 2"))
        if data == b"endless":
            self.channel.sendall(struct.pack(">I", 0xFFFFFFFF))
        self.counters.listeners[name].client_bytes(len(data), len(data))
        if data:
            connection.sendall(data)
            return
        self.selector.unregister(connection)
        self.connections.discard(connection)
        connection.close()
        self.counters.listeners[name].closed("tls", EndReason.FINISHED)
        self.finished += self.deadline is not None

    def finish_drain(self):
        if self.connections and time.monotonic() < self.deadline:
            return
        self.say(event="drained", finished=self.finished, reset=len(self.connections))
        sys.exit(0)


if __name__ == "__main__":
    FakeWorker(*map(int, sys.argv[1:])).run()
