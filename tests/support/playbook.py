"""A handshake as a play: messages in, actions out, and a second opinion on every secret.

    play = Play(WaitClientHello(context))
    play.hears(hello.message())                # the actions, as a tuple
    schedule = Schedule("sha384", shared_secret)
    schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", play.messages[:2])

`Schedule` is RFC 9846 §7.1 written a second time, with nothing but `hmac`: it knows the messages
as they stood on the stage, not what the states made of them.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pqproxy import tls
from pqproxy.tls.codepoints import CipherSuite, ExtensionType, HandshakeType, NamedGroup
from pqproxy.tls.exporter import Exporter
from pqproxy.tls.extensions import KeyShareEntry, write_uint16_list
from pqproxy.tls.handshake import SendHandshake, TrafficSecret, UseExporter
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.messages import ClientHello, HandshakeMessage, ServerHello
from tests.support.loopback import PROVIDER

SUITE_OF_HASH = {
    "sha384": CipherSuite.TLS_AES_256_GCM_SHA384,
    "sha256": CipherSuite.TLS_AES_128_GCM_SHA256,
}
LABELS = {  # the name in a key log: the stage, and the label of §7.1
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET": ("handshake", "c hs traffic"),
    "SERVER_HANDSHAKE_TRAFFIC_SECRET": ("handshake", "s hs traffic"),
    "CLIENT_TRAFFIC_SECRET_0": ("main", "c ap traffic"),
    "SERVER_TRAFFIC_SECRET_0": ("main", "s ap traffic"),
}
VERSION = b"\x03\x04"
RETRY_RANDOM = hashlib.sha256(b"HelloRetryRequest").digest()


def entropy(length):
    """The same bytes each time: whoever asks for 32 of them gets OUR_RANDOM."""
    return bytes(range(length))


OUR_RANDOM = OUR_KEY = entropy(32)
PEER_RANDOM, PEER_KEY, SESSION_ID = b"\x51" * 32, b"\x42" * 32, b"\x53" * 32


class Play:
    """One side of a handshake on a stage, without a connection."""

    def __init__(self, state, opening=()):
        self.state = state
        self.messages = list(opening)  # everything said so far, in its order

    def hears(self, message):
        assert message.type in self.state.expects
        self.messages.append(message)
        return self._take(self.state.on_message(message))

    def proceeds(self):
        return self._take(self.state.proceed())

    def is_given_signature(self, signature):
        return self._take(self.state.on_signature(signature))

    def is_told(self, verdict):
        return self._take(self.state.on_verdict(verdict))

    def _take(self, step):
        self.state = step.next_state
        sent = [action.message for action in step.actions if isinstance(action, SendHandshake)]
        self.messages += sent
        return step.actions


def transcript_hash(messages, hash_name):
    """§4.1, with the first hello standing as its hash if it was answered by a retry."""
    return hashlib.new(hash_name, _as_hashed(messages, hash_name)).digest()


def _as_hashed(messages, hash_name):
    encoded = [message.encode() for message in messages]
    if (
        len(messages) > 1
        and messages[1].body[2:34] == hashlib.sha256(b"HelloRetryRequest").digest()
    ):
        first = hashlib.new(hash_name, encoded[0]).digest()
        encoded[0] = bytes((254, 0, 0, len(first))) + first
    return b"".join(encoded)


class Schedule:
    """Every secret of one handshake, without a pre-shared key or with one."""

    def __init__(self, hash_name, shared_secret, psk=None):
        self.hash_name = hash_name
        self.suite = SUITES[SUITE_OF_HASH[hash_name]]
        self._nothing = hashlib.new(hash_name).digest()
        zeros = bytes(len(self._nothing))
        early = self._mac(zeros, psk or zeros)
        handshake = self._mac(self.expand(early, "derived", self._nothing), shared_secret)
        main = self._mac(self.expand(handshake, "derived", self._nothing), zeros)
        self._stages = {"early": early, "handshake": handshake, "main": main}

    def traffic(self, name, messages):
        """A traffic secret over these messages, as the states hand it on."""
        stage, label = LABELS[name]
        hashed = transcript_hash(messages, self.hash_name)
        secret = self.expand(self._stages[stage], label, hashed)
        return TrafficSecret(name, self.suite, tls.Secret(secret))

    def exporter(self, messages):
        """The exporter_secret over these messages, as the states hand it on."""
        hashed = transcript_hash(messages, self.hash_name)
        secret = self.expand(self._stages["main"], "exp master", hashed)
        return UseExporter(Exporter(self.suite, tls.Secret(secret)))

    def ticket_psk(self, messages, nonce):
        """The key of a ticket that follows these messages, all of the handshake (§4.7.1)."""
        hashed = transcript_hash(messages, self.hash_name)
        secret = self.expand(self._stages["main"], "res master", hashed)
        return self.expand(secret, "resumption", nonce)

    def binder(self, truncated, before=()):
        """Of a hello without its binders, behind the messages before it (§4.3.11.2)."""
        key = self.expand(self._stages["early"], "res binder", self._nothing)
        covered = hashlib.new(self.hash_name, _as_hashed(before, self.hash_name) + truncated)
        return self._mac(self.expand(key, "finished", b""), covered.digest())

    def finished(self, traffic_secret, messages):
        """The Finished of whoever sends under this secret, having seen these messages."""
        key = self.expand(traffic_secret.secret.expose(), "finished", b"")
        verify_data = self._mac(key, transcript_hash(messages, self.hash_name))
        return HandshakeMessage(HandshakeType.FINISHED, verify_data)

    def expand(self, secret, label, context):
        """HKDF-Expand-Label for one block of output."""
        label = b"tls13 " + label.encode()
        info = len(self._nothing).to_bytes(2, "big") + bytes((len(label),)) + label
        return self._mac(secret, info + bytes((len(context),)) + context + b"\1")

    def _mac(self, key, data):
        return hmac.digest(key, data, self.hash_name)


def signed_content(role, messages, hash_name="sha384"):
    """What the CertificateVerify of this role signs (§4.5.2)."""
    context = f"TLS 1.3, {role} CertificateVerify".encode()
    return b" " * 64 + context + b"\0" + transcript_hash(messages, hash_name)


def sign(leaf, content):
    """As the holder of an ECDSA P-256 leaf."""
    return PROVIDER.signatures["ECDSA-P256-SHA256"].sign(leaf.key, content)


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


# What two x25519 sides agree on, of which one is ours.
SHARED_SECRET = X25519PrivateKey.from_private_bytes(PEER_KEY).exchange(
    X25519PublicKey.from_public_bytes(public(OUR_KEY))
)


def share(group, key_exchange):
    """One entry, as a ServerHello has it."""
    return KeyShareEntry(group, key_exchange).write()


def shares(*entries):
    """A list of them, as a ClientHello has it."""
    listed = b"".join(share(*entry) for entry in entries)
    return len(listed).to_bytes(2, "big") + listed


def client_hello(extensions=None, **fields):
    """A ClientHello as a stranger writes it, for x25519 and ECDSA unless told otherwise."""
    offered = {
        ExtensionType.SUPPORTED_VERSIONS: write_uint16_list((0x0304,), prefix=1),
        ExtensionType.SUPPORTED_GROUPS: write_uint16_list((NamedGroup.x25519,)),
        ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list((0x0403,)),
        ExtensionType.KEY_SHARE: shares((NamedGroup.x25519, public(PEER_KEY))),
        **(extensions or {}),
    }
    values = {
        "legacy_version": 0x0303,
        "random": PEER_RANDOM,
        "legacy_session_id": SESSION_ID,
        "cipher_suites": (0x1302,),
        "legacy_compression_methods": b"\0",
        "extensions": {kind: data for kind, data in offered.items() if data is not None},
        **fields,
    }
    return ClientHello(**values)


def server_hello(extensions=None, **fields):
    """A ServerHello as a stranger writes it, to a client of ours."""
    answered = {
        ExtensionType.SUPPORTED_VERSIONS: VERSION,
        ExtensionType.KEY_SHARE: share(NamedGroup.x25519, public(PEER_KEY)),
        **(extensions or {}),
    }
    values = {
        "random": PEER_RANDOM,
        "legacy_session_id_echo": OUR_RANDOM,
        "cipher_suite": 0x1302,
        "extensions": {kind: data for kind, data in answered.items() if data is not None},
        **fields,
    }
    return ServerHello(**values)


def message(kind, body=b""):
    return HandshakeMessage(kind, body)
