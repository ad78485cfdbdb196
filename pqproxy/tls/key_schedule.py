"""The key schedule as a chain of stages (RFC 9846 §7.1).

    EarlySecret -> HandshakeSecret -> MainSecret

Each stage is a type that offers only what can be derived from it, under the RFC's names; the
labels stand here and nowhere else ("c hs traffic" kept its bytes when "master" became "main").

A handshake makes two dozen HMACs. To set one up costs twice what it then does, so each stage is
keyed once, and a copy taken for each secret.
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from pqproxy.tls.codepoints import CipherSuite
from pqproxy.tls.secrets import Secret
from pqproxy.tls.values import dataclass

IV_LENGTH = 12


@dataclass(frozen=True, slots=True)
class SuiteParameters:
    """What a cipher suite fixes (§B.4)."""

    suite: CipherSuite
    hash_name: str
    hash_length: int
    key_length: int
    empty_hash: bytes  # Transcript-Hash of no messages
    algorithm: hashes.HashAlgorithm  # the same hash, as HMAC wants it

    @classmethod
    def of(
        cls, suite: CipherSuite, algorithm: hashes.HashAlgorithm, key_length: int
    ) -> SuiteParameters:
        """Work out what follows from the hash."""
        empty = hashlib.new(algorithm.name)
        length, digest = empty.digest_size, empty.digest()
        return cls(suite, algorithm.name, length, key_length, digest, algorithm)

    def digest(self, data: bytes) -> bytes:
        """Hash `data` with the suite's hash."""
        return hashlib.new(self.hash_name, data).digest()


SUITES = {
    suite: SuiteParameters.of(suite, algorithm, key_length)
    for suite, algorithm, key_length in (
        (CipherSuite.TLS_AES_256_GCM_SHA384, hashes.SHA384(), 32),
        (CipherSuite.TLS_AES_128_GCM_SHA256, hashes.SHA256(), 16),
    )
}


@dataclass(frozen=True, slots=True)
class TrafficKeys:
    """Key and IV of one direction (§7.3)."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def keyed_hash(suite: SuiteParameters, key: bytes, message: bytes) -> bytes:
    """HMAC with the suite's hash."""
    mac = HMAC(key, suite.algorithm)
    mac.update(message)
    return mac.finalize()


def hkdf_extract(suite: SuiteParameters, salt: bytes, input_keying_material: bytes) -> Secret:
    """HKDF-Extract (RFC 5869 §2.2)."""
    return Secret(keyed_hash(suite, salt, input_keying_material))


def hkdf_expand_label(
    suite: SuiteParameters, secret: Secret, label: bytes, context: bytes, length: int
) -> bytes:
    """HKDF-Expand-Label (§7.1).

    Nothing that is derived here is longer than a hash, so HKDF-Expand (RFC 5869 §2.3) is its first
    block, one HMAC over info and the block's number.
    """
    if length > suite.hash_length:
        raise ValueError(f"{length} bytes are longer than a hash")
    info = hkdf_label(label, context, length)
    return keyed_hash(suite, secret.expose(), info + _FIRST_BLOCK)[:length]


def hkdf_label(label: bytes, context: bytes, length: int) -> bytes:
    """HkdfLabel (§7.1): length, "tls13 " + label, and context."""
    return _label_start(label, len(context), length) + context


_FIRST_BLOCK = b"\x01"


@lru_cache(maxsize=64)  # of the schedule's own there are sixteen
def _label_start(label: bytes, context_length: int, length: int) -> bytes:
    full_label = b"tls13 " + label
    return b"%b%c%b%c" % (length.to_bytes(2, "big"), len(full_label), full_label, context_length)


def derive_secret(
    suite: SuiteParameters, secret: Secret, label: bytes, transcript_hash: bytes
) -> Secret:
    """Derive-Secret (§7.1), given the transcript hash instead of the messages."""
    return Secret(hkdf_expand_label(suite, secret, label, transcript_hash, suite.hash_length))


def traffic_keys(suite: SuiteParameters, traffic_secret: Secret) -> TrafficKeys:
    """Key and IV from a traffic secret (§7.3)."""
    for_key = HMAC(traffic_secret.expose(), suite.algorithm)
    for_iv = for_key.copy()
    for_key.update(_label_start(b"key", 0, suite.key_length) + _FIRST_BLOCK)
    for_iv.update(_label_start(b"iv", 0, IV_LENGTH) + _FIRST_BLOCK)
    return TrafficKeys(for_key.finalize()[: suite.key_length], for_iv.finalize()[:IV_LENGTH])


def next_application_traffic_secret(suite: SuiteParameters, traffic_secret: Secret) -> Secret:
    """application_traffic_secret_N+1 (§7.2)."""
    return derive_secret(suite, traffic_secret, b"traffic upd", b"")


def resumption_psk(suite: SuiteParameters, resumption_secret: Secret, nonce: bytes) -> Secret:
    """The pre-shared key of one ticket (§4.7.1)."""
    return derive_secret(suite, resumption_secret, b"resumption", nonce)


def finished_verify_data(suite: SuiteParameters, base_key: Secret, transcript_hash: bytes) -> bytes:
    """verify_data of Finished (§4.5.3)."""
    finished_key = hkdf_expand_label(suite, base_key, b"finished", b"", suite.hash_length)
    return keyed_hash(suite, finished_key, transcript_hash)


class _Stage:
    """One stage: its secret, and an HMAC that is keyed with it."""

    __slots__ = ("_keyed", "secret", "suite")

    def __init__(self, suite: SuiteParameters, secret: Secret) -> None:
        self.suite, self.secret = suite, secret
        self._keyed = HMAC(secret.expose(), suite.algorithm)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.secret!r})"

    def _derive(self, label: bytes, transcript_hash: bytes) -> Secret:
        """Derive-Secret (§7.1)."""
        mac, length = self._keyed.copy(), self.suite.hash_length
        mac.update(_label_start(label, length, length) + transcript_hash + _FIRST_BLOCK)
        return Secret(mac.finalize())

    def _salt(self) -> bytes:
        """What the next stage is extracted with."""
        return self._derive(b"derived", self.suite.empty_hash).expose()


class MainSecret(_Stage):
    """Where application traffic secrets come from."""

    __slots__ = ()

    def client_application_traffic_secret_0(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...server Finished."""
        return self._derive(b"c ap traffic", transcript_hash)

    def server_application_traffic_secret_0(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...server Finished."""
        return self._derive(b"s ap traffic", transcript_hash)

    def exporter_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...server Finished."""
        return self._derive(b"exp master", transcript_hash)

    def resumption_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...client Finished."""
        return self._derive(b"res master", transcript_hash)


class HandshakeSecret(_Stage):
    """Where handshake traffic secrets come from."""

    __slots__ = ()

    def client_handshake_traffic_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...ServerHello."""
        return self._derive(b"c hs traffic", transcript_hash)

    def server_handshake_traffic_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...ServerHello."""
        return self._derive(b"s hs traffic", transcript_hash)

    def main_secret(self) -> MainSecret:
        """Go on to the last stage."""
        zeros = bytes(self.suite.hash_length)
        return MainSecret(self.suite, hkdf_extract(self.suite, self._salt(), zeros))


class EarlySecret(_Stage):
    """The first stage, with or without a pre-shared key."""

    __slots__ = ()

    @classmethod
    def without_psk(cls, suite: SuiteParameters) -> EarlySecret:
        """A full handshake: the pre-shared key is a string of zeros."""
        return _WITHOUT_PSK[suite.suite]

    @classmethod
    def with_psk(cls, suite: SuiteParameters, psk: Secret) -> EarlySecret:
        """A resumption."""
        return cls(suite, hkdf_extract(suite, bytes(suite.hash_length), psk.expose()))

    def binder_key(self) -> Secret:
        """What the binder of a key from a ticket is made with (§4.3.11.2)."""
        return self._derive(b"res binder", self.suite.empty_hash)

    def handshake_secret(self, shared_secret: Secret) -> HandshakeSecret:
        """Mix in the key exchange: for a hybrid group both secrets, concatenated."""
        salt = self._salt()
        return HandshakeSecret(self.suite, hkdf_extract(self.suite, salt, shared_secret.expose()))


class _WithoutPsk(EarlySecret):
    """The first stage of every full handshake: no secret at all, and always the same salt."""

    __slots__ = ("_same_salt",)

    def __init__(self, suite: SuiteParameters) -> None:
        zeros = bytes(suite.hash_length)
        super().__init__(suite, hkdf_extract(suite, zeros, zeros))
        self._same_salt = super()._salt()

    def _salt(self) -> bytes:
        return self._same_salt


_WITHOUT_PSK = {suite.suite: _WithoutPsk(suite) for suite in SUITES.values()}
