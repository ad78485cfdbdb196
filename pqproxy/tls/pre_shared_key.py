"""The pre_shared_key extension and its binders (RFC 9846 §4.3.9, §4.3.11).

A binder is a MAC under the pre-shared key over the hello that offers it, up to the binders
themselves: so the extension is the last one, and a hello is written in two goes. What a key
stands for is judged elsewhere.
"""

from __future__ import annotations

from pqproxy.tls.alerts import illegal_parameter
from pqproxy.tls.codec import Reader, Writer
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_schedule import EarlySecret, finished_verify_data
from pqproxy.tls.messages import ClientHello, HandshakeMessage
from pqproxy.tls.values import dataclass, replace

# With a key exchange beside the pre-shared key: the only mode that we offer and accept. The other
# one (psk_ke) would give up forward secrecy, and everything post-quantum with it.
PSK_DHE_KE = 1
OUR_MODES = bytes((1, PSK_DHE_KE))


def read_psk_key_exchange_modes(data: bytes) -> bytes:
    """psk_key_exchange_modes in a ClientHello, one mode a byte. Raises decode_error."""
    reader = Reader(data, "psk_key_exchange_modes")
    modes = reader.opaque(1, at_least=1)
    reader.finish()
    return modes


def takes_tickets(hello: ClientHello) -> bool:
    """Whether the client can use a ticket the way we would accept it."""
    data = hello.extensions.get(ExtensionType.PSK_KEY_EXCHANGE_MODES)
    return data is not None and PSK_DHE_KE in read_psk_key_exchange_modes(data)


@dataclass(frozen=True, slots=True)
class PskIdentity:
    """A key that the client has, by the name that the server gave it: the ticket."""

    identity: bytes
    obfuscated_ticket_age: int

    @classmethod
    def read(cls, reader: Reader) -> PskIdentity:
        """Read one."""
        return cls(reader.opaque(2, at_least=1), reader.uint(4))

    def write(self) -> bytes:
        """Write one."""
        return Writer().opaque(self.identity, 2).uint(self.obfuscated_ticket_age, 4).finish()


@dataclass(frozen=True, slots=True)
class OfferedPsks:
    """pre_shared_key in a ClientHello: identities, and a binder for each."""

    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]

    @classmethod
    def read(cls, data: bytes) -> OfferedPsks:
        """Read it. Raises decode_error, or illegal_parameter where the lists do not match."""
        reader = Reader(data, "pre_shared_key")
        identities = reader.vector(2, PskIdentity.read, at_least=1)
        binders = reader.vector(2, lambda entry: entry.opaque(1, at_least=32), at_least=1)
        reader.finish()
        if len(identities) != len(binders):
            raise illegal_parameter("pre_shared_key has more identities than binders, or fewer")
        return cls(identities, binders)

    def write(self) -> bytes:
        """Write it."""
        identities = b"".join(identity.write() for identity in self.identities)
        binders = b"".join(Writer().opaque(binder, 1).finish() for binder in self.binders)
        return Writer().opaque(identities, 2).opaque(binders, 2).finish()

    def truncate(self, hello: HandshakeMessage) -> bytes:
        """The hello that ends with this, without its binders (§4.3.11.2)."""
        return hello.encode()[: -2 - sum(1 + len(binder) for binder in self.binders)]


def psk_binder(early: EarlySecret, transcript_hash: bytes) -> bytes:
    """A binder: made like a Finished, with a key of its own (§4.3.11.2)."""
    return finished_verify_data(early.suite, early.binder_key(), transcript_hash)


def with_pre_shared_key(
    hello: ClientHello, identity: PskIdentity, early: EarlySecret, transcript: Transcript
) -> ClientHello:
    """The hello with one key offered and bound to it; `transcript` is what went before."""
    unbound = OfferedPsks((identity,), (bytes(early.suite.hash_length),))
    truncated = unbound.truncate(_ending_with(hello, unbound).message())
    binder = psk_binder(early, transcript.hash_with(truncated))
    return _ending_with(hello, replace(unbound, binders=(binder,)))


def _ending_with(hello: ClientHello, psks: OfferedPsks) -> ClientHello:
    extensions = {**hello.extensions, ExtensionType.PRE_SHARED_KEY: psks.write()}
    return replace(hello, extensions=extensions)
