"""A peer under the real keys that says what no honest one would.

    target = hostile.server_after_handshake()
    target.say(ContentType.HANDSHAKE, key_update)      # one record under the client's keys
    target.failure.alert

The keys come from our own key log, so whatever is said decrypts, and what is judged is its meaning.
"""

from dataclasses import dataclass, replace

from pqproxy import tls
from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.messages import ClientHello, HandshakeMessage
from pqproxy.tls.record import (
    HEADER_LENGTH,
    ReceiveProtection,
    SendProtection,
    plaintext_record,
)
from tests.support import pki
from tests.support.loopback import Endpoint, pump

GROUPS = (tls.NamedGroup.x25519,)  # cheap, where the group is not what is tested


@dataclass
class Target:
    """An endpoint of ours, and the keys of the direction that it reads."""

    endpoint: Endpoint
    protection: SendProtection | None = None

    @property
    def failure(self):
        return self.endpoint.failure

    def say(self, content_type, content, padding=0):
        """One protected record."""
        self.endpoint.feed(seal(self.protection, content_type, content, padding))

    def say_plainly(self, content_type, content):
        """One record without protection."""
        self.endpoint.feed(plaintext_record(content_type, content, 0x0303))

    def update_key(self):
        """A KeyUpdate, and on with the next key."""
        self.say(ContentType.HANDSHAKE, bytes.fromhex("1800000100"))
        self.protection = self.protection.next_generation()


def seal(protection, content_type, content, padding=0):
    """One record of any size, allowed or not."""
    start, end = HEADER_LENGTH, HEADER_LENGTH + len(content)
    buffer = memoryview(bytearray(end + 1 + padding + 16))
    buffer[start:end] = content
    return bytes(protection.protect(content_type, buffer, start, len(content), padding))


def leaf(algorithm="ecdsa-p256"):
    return pki.root().issue(dns=("llm.test",), algorithm=algorithm)


class KeyLog(dict):
    """Secrets by label, as they come into use."""

    def __call__(self, line):
        label, _client_random, value = line.split()
        self[label] = tls.Secret(bytes.fromhex(value))

    def protection(self, label, suite=tls.CipherSuite.TLS_AES_256_GCM_SHA384):
        return SendProtection(SUITES[suite], self[label])

    def reading(self, label, suite=tls.CipherSuite.TLS_AES_256_GCM_SHA384):
        return ReceiveProtection(SUITES[suite], self[label])


def pair(**server_config):
    """A client and a server that have not met, and the key log of the server."""
    log = KeyLog()
    config = {"groups": GROUPS, **server_config}
    server = Endpoint.server(leaf(), key_log=log, **config)
    return Endpoint.client(leaf(), groups=config["groups"]), server, log


def server_after_handshake(**config):
    client, server, log = pair(**config)
    pump(client, server)
    server.take()
    return Target(server, log.protection("CLIENT_TRAFFIC_SECRET_0"))


def client_after_handshake(**config):
    client, server, log = pair(**config)
    pump(client, server)
    client.take()
    return Target(client, log.protection("SERVER_TRAFFIC_SECRET_0"))


def server_after_its_flight(hello=None, **config):
    """It waits for the client's second flight, under handshake keys."""
    client, server, log = pair(**config)
    server.feed(client.take() if hello is None else hello)
    server.take()
    return Target(server, log.protection("CLIENT_HANDSHAKE_TRAFFIC_SECRET"))


def client_after_server_hello(**config):
    """It has read ServerHello and nothing behind it."""
    client, server, log = pair(**config)
    server.feed(client.take())
    client.feed(records(server.take())[0])
    client.take()
    return Target(client, log.protection("SERVER_HANDSHAKE_TRAFFIC_SECRET"))


def fresh_server(**config):
    return Target(pair(**config)[1])


def fresh_client(**config):
    client = pair(**config)[0]
    client.take()
    return Target(client)


def client_hello(groups=GROUPS, **config):
    """The ClientHello of a client of ours, to be changed and sent on."""
    client = Endpoint.client(groups=groups, **config)
    return ClientHello.read(client.take()[HEADER_LENGTH + 4 :])


def with_extensions(hello, changes):
    """The hello with extensions set, or removed where the value is None."""
    merged = {**hello.extensions, **changes}
    kept = {kind: data for kind, data in merged.items() if data is not None}
    return replace(hello, extensions=kept)


def in_records(message, size=2**14):
    """A handshake message in plaintext records."""
    data = message.encode()
    return b"".join(
        plaintext_record(ContentType.HANDSHAKE, data[start : start + size], 0x0303)
        for start in range(0, len(data), size)
    )


def hello_in_records(hello, size=2**14):
    return in_records(hello.message(), size)


def records(stream):
    """Cut a byte stream into whole records."""
    found = []
    while stream:
        end = HEADER_LENGTH + int.from_bytes(stream[3:5], "big")
        found.append(stream[:end])
        stream = stream[end:]
    return found


def message(kind, body):
    return HandshakeMessage(kind, body).encode()
