"""Key exchange groups: curves, ML-KEM, and the two side by side (RFC 9846 §4.3.8, RFC 10024).

A hybrid group is two exchanges and an order; the order is data of the group (ML-KEM comes first
with X25519, last with the NIST curves). Lengths are checked before any cryptography. Knows
nothing of messages: bytes of key_exchange in, bytes and a `Secret` out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pqproxy.crypto import DecapsulationKey, InvalidInput, Kem, Provider
from pqproxy.crypto.mlkem import SEED_LENGTH
from pqproxy.tls.alerts import illegal_parameter
from pqproxy.tls.codepoints import NamedGroup, name_of
from pqproxy.tls.secrets import Secret
from pqproxy.tls.values import dataclass

Entropy = Callable[[int], bytes]

HYBRID_GROUPS = (
    NamedGroup.X25519MLKEM768,
    NamedGroup.SecP256r1MLKEM768,
    NamedGroup.SecP384r1MLKEM1024,
)
PRIVATE_GROUPS = (NamedGroup.X25519MLKEM1024,)  # hybrid too, and only for who asks for it by name
CLASSICAL_GROUPS = (NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.secp384r1)


def is_post_quantum(group: int) -> bool:
    """Whether recorded traffic under this group stays secret from a quantum computer."""
    return group in HYBRID_GROUPS or group in PRIVATE_GROUPS


@dataclass(frozen=True, slots=True)
class ServerShare:
    """What the server answers: the bytes it sends, and the secret it now has."""

    key_exchange: bytes
    shared_secret: Secret


class ClientShare(Protocol):
    """A key share that the client made and waits to complete."""

    key_exchange: bytes

    def complete(self, server_share: bytes) -> Secret:
        """Derive the shared secret from the server's key_exchange bytes.

        Raises:
            FatalAlert: illegal_parameter when the bytes are no valid share.
        """


class KeyExchange(Protocol):
    """One way to agree on a secret."""

    name: str
    client_share_length: int
    server_share_length: int

    def offer(self, entropy: Entropy) -> ClientShare:
        """Make a fresh client share. Never used twice (§4.3.8)."""

    def respond(self, client_share: bytes, entropy: Entropy) -> ServerShare:
        """Answer a client share.

        Raises:
            FatalAlert: illegal_parameter when the bytes are no valid share.
        """


class Curve(Protocol):
    """One elliptic curve: the arithmetic of a (EC)DH exchange."""

    @property
    def name(self) -> str:
        """The group's name."""

    @property
    def share_length(self) -> int:
        """Bytes of a share."""

    def generate(self, entropy: Entropy) -> CurveKey:
        """Make a key pair."""


class CurveKey(Protocol):
    """A private key on a curve."""

    key_exchange: bytes

    def complete(self, share: bytes) -> Secret:
        """Derive the secret shared with the holder of `share`."""


class X25519Key:
    """An X25519 key pair (RFC 7748)."""

    __slots__ = ("_private_key", "key_exchange")

    def __init__(self, entropy: Entropy) -> None:
        self._private_key = X25519PrivateKey.from_private_bytes(entropy(32))
        self.key_exchange = self._private_key.public_key().public_bytes_raw()

    def complete(self, share: bytes) -> Secret:
        """Derive the secret; `exchange` refuses an all-zero result (§7.4.2)."""
        _check_length("x25519", share, 32)
        try:
            return Secret(self._private_key.exchange(X25519PublicKey.from_public_bytes(share)))
        except ValueError:
            raise illegal_parameter("x25519 share gives an all-zero secret") from None


@dataclass(frozen=True, slots=True)
class NistCurve:
    """secp256r1 or secp384r1 with uncompressed points (§4.3.8.2)."""

    name: str
    curve: ec.EllipticCurve
    share_length: int
    secret_length: int

    def generate(self, entropy: Entropy) -> NistCurveKey:
        """Make a key pair."""
        return NistCurveKey(self, entropy)


class NistCurveKey:
    """A key pair on a NIST curve."""

    __slots__ = ("_curve", "_private_key", "key_exchange")

    def __init__(self, curve: NistCurve, entropy: Entropy) -> None:
        self._curve = curve
        # FIPS 186-5 A.2.1: 64 bits more than the order has, so that the bias is out of reach.
        candidate = int.from_bytes(entropy(curve.secret_length + 8), "big")
        scalar = candidate % (curve.curve.group_order - 1) + 1
        self._private_key = ec.derive_private_key(scalar, curve.curve)
        self.key_exchange = self._private_key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    def complete(self, share: bytes) -> Secret:
        """Derive the secret: the x coordinate, leading zeros kept (§7.4.2)."""
        name = self._curve.name
        _check_length(name, share, self._curve.share_length)
        if share[0] != 4:  # the library would take a compressed point; TLS 1.3 does not
            raise illegal_parameter(f"{name} share is not an uncompressed point")
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve.curve, share)
        except ValueError:
            raise illegal_parameter(f"{name} share is not a point on the curve") from None
        return Secret(self._private_key.exchange(ec.ECDH(), point))


@dataclass(frozen=True, slots=True)
class X25519:
    """The curve of RFC 7748."""

    name: str = "x25519"
    share_length: int = 32

    def generate(self, entropy: Entropy) -> X25519Key:
        """Make a key pair."""
        return X25519Key(entropy)


class DiffieHellman:
    """A key exchange in which both sides send a point."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self.name = curve.name
        self.client_share_length = self.server_share_length = curve.share_length

    def offer(self, entropy: Entropy) -> ClientShare:
        """Make a fresh key pair."""
        return self._curve.generate(entropy)

    def respond(self, client_share: bytes, entropy: Entropy) -> ServerShare:
        """Make a fresh key pair and complete at once."""
        _check_length(self.name, client_share, self.client_share_length)
        key = self._curve.generate(entropy)
        return ServerShare(key.key_exchange, key.complete(client_share))


class KemShare:
    """An encapsulation key that waits for its ciphertext."""

    __slots__ = ("_kem", "_key", "key_exchange")

    def __init__(self, kem: Kem, key: DecapsulationKey) -> None:
        self._kem, self._key = kem, key
        self.key_exchange = key.encapsulation_key

    def complete(self, server_share: bytes) -> Secret:
        """Decapsulate. A wrong ciphertext of right length gives a secret too (implicit
        rejection, FIPS 203 §6.3): such a handshake dies at Finished, without an oracle."""
        _check_length(self._kem.name, server_share, self._kem.ciphertext_length)
        return Secret(self._key.decapsulate(server_share))


class KeyEncapsulation:
    """A key exchange by KEM: the client sends a key, the server a ciphertext."""

    def __init__(self, kem: Kem) -> None:
        self._kem = kem
        self.name = kem.name
        self.client_share_length = kem.encapsulation_key_length
        self.server_share_length = kem.ciphertext_length

    def offer(self, entropy: Entropy) -> ClientShare:
        """Make a fresh decapsulation key."""
        return KemShare(self._kem, self._kem.generate(entropy(SEED_LENGTH)))

    def respond(self, client_share: bytes, entropy: Entropy) -> ServerShare:
        """Encapsulate; the provider checks the key as FIPS 203 §7.2 demands."""
        _check_length(self.name, client_share, self.client_share_length)
        try:
            encapsulation = self._kem.encapsulate(client_share)
        except InvalidInput:
            raise illegal_parameter(f"{self.name} encapsulation key is invalid") from None
        return ServerShare(encapsulation.ciphertext, Secret(encapsulation.shared_secret))


class HybridShare:
    """Two client shares side by side."""

    __slots__ = ("_exchange", "_first", "_second", "key_exchange")

    def __init__(
        self, exchange: HybridKeyExchange, first: ClientShare, second: ClientShare
    ) -> None:
        self._exchange, self._first, self._second = exchange, first, second
        self.key_exchange = first.key_exchange + second.key_exchange

    def complete(self, server_share: bytes) -> Secret:
        """Complete both; the secret is their plain concatenation (RFC 9954)."""
        _check_length(self._exchange.name, server_share, self._exchange.server_share_length)
        split = self._exchange.first.server_share_length
        first = self._first.complete(server_share[:split])
        second = self._second.complete(server_share[split:])
        return Secret(first.expose() + second.expose())


class HybridKeyExchange:
    """Two key exchanges side by side; an attacker must break both.

    `first` and `second` fix the byte order of shares and secrets alike.
    """

    def __init__(self, name: str, first: KeyExchange, second: KeyExchange) -> None:
        self.name, self.first, self.second = name, first, second
        self.client_share_length = first.client_share_length + second.client_share_length
        self.server_share_length = first.server_share_length + second.server_share_length

    def offer(self, entropy: Entropy) -> ClientShare:
        """Make both shares."""
        return HybridShare(self, self.first.offer(entropy), self.second.offer(entropy))

    def respond(self, client_share: bytes, entropy: Entropy) -> ServerShare:
        """Answer both shares."""
        _check_length(self.name, client_share, self.client_share_length)
        split = self.first.client_share_length
        first = self.first.respond(client_share[:split], entropy)
        second = self.second.respond(client_share[split:], entropy)
        return ServerShare(
            first.key_exchange + second.key_exchange,
            Secret(first.shared_secret.expose() + second.shared_secret.expose()),
        )


def _check_length(name: str, share: bytes, length: int) -> None:
    if len(share) != length:
        raise illegal_parameter(f"{name} share has {len(share)} bytes, wants {length}")


class KeyExchanges:
    """Every group this engine speaks, with the KEMs of one provider; made when asked for."""

    __slots__ = ("_provider",)

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __getitem__(self, group: int) -> KeyExchange:
        """The exchange of a group that policy allowed; KeyError for any other."""
        first, second = _PARTS[group]
        if second is None:
            return self._part(first)
        name = name_of(NamedGroup, group)
        return HybridKeyExchange(name, self._part(first), self._part(second))

    def _part(self, part: Curve | str) -> KeyExchange:
        if isinstance(part, str):
            return KeyEncapsulation(self._provider.kems[part])
        return DiffieHellman(part)


_X25519 = X25519()
_P256 = NistCurve("secp256r1", ec.SECP256R1(), 65, 32)
_P384 = NistCurve("secp384r1", ec.SECP384R1(), 97, 48)

# What a group is made of, in the order of its shares and secrets: curves, and KEMs by name.
_PARTS: Mapping[int, tuple[Curve | str, Curve | str | None]] = {
    NamedGroup.X25519MLKEM768: ("ML-KEM-768", _X25519),
    NamedGroup.SecP256r1MLKEM768: (_P256, "ML-KEM-768"),
    NamedGroup.SecP384r1MLKEM1024: (_P384, "ML-KEM-1024"),
    NamedGroup.X25519MLKEM1024: ("ML-KEM-1024", _X25519),
    NamedGroup.x25519: (_X25519, None),
    NamedGroup.secp256r1: (_P256, None),
    NamedGroup.secp384r1: (_P384, None),
}
