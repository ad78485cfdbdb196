"""The key schedule as a chain of stages (RFC 9846 §7.1).

    EarlySecret -> HandshakeSecret -> MainSecret

Each stage is a type that offers only what can be derived from it, under the RFC's names; the
labels stand here and nowhere else ("c hs traffic" kept its bytes when "master" became "main").
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import field
from functools import lru_cache

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

    @classmethod
    def of(cls, suite: CipherSuite, hash_name: str, key_length: int) -> SuiteParameters:
        """Work out what follows from the name of the hash."""
        empty = hashlib.new(hash_name)
        return cls(suite, hash_name, empty.digest_size, key_length, empty.digest())

    def digest(self, data: bytes) -> bytes:
        """Hash `data` with the suite's hash."""
        return hashlib.new(self.hash_name, data).digest()


SUITES = {
    suite: SuiteParameters.of(suite, hash_name, key_length)
    for suite, hash_name, key_length in (
        (CipherSuite.TLS_AES_256_GCM_SHA384, "sha384", 32),
        (CipherSuite.TLS_AES_128_GCM_SHA256, "sha256", 16),
    )
}


@dataclass(frozen=True, slots=True)
class TrafficKeys:
    """Key and IV of one direction (§7.3)."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def hkdf_extract(suite: SuiteParameters, salt: bytes, input_keying_material: bytes) -> Secret:
    """HKDF-Extract (RFC 5869 §2.2)."""
    return Secret(hmac.digest(salt, input_keying_material, suite.hash_name))


def hkdf_expand_label(
    suite: SuiteParameters, secret: Secret, label: bytes, context: bytes, length: int
) -> bytes:
    """HKDF-Expand-Label (§7.1).

    Nothing that is derived here is longer than a hash, so HKDF-Expand (RFC 5869 §2.3) is its first
    block, one HMAC over info and the block's number. A handshake derives sixteen times.
    """
    if length > suite.hash_length:
        raise ValueError(f"{length} bytes are longer than a hash")
    info = hkdf_label(label, context, length)
    return hmac.digest(secret.expose(), info + b"\x01", suite.hash_name)[:length]


def hkdf_label(label: bytes, context: bytes, length: int) -> bytes:
    """HkdfLabel (§7.1): length, "tls13 " + label, and context."""
    return b"%b%c%b" % (_label_start(label, length), len(context), context)


@lru_cache(maxsize=64)  # of the schedule's own labels there are fifteen
def _label_start(label: bytes, length: int) -> bytes:
    full_label = b"tls13 " + label
    return b"%b%c%b" % (length.to_bytes(2, "big"), len(full_label), full_label)


def derive_secret(
    suite: SuiteParameters, secret: Secret, label: bytes, transcript_hash: bytes
) -> Secret:
    """Derive-Secret (§7.1), given the transcript hash instead of the messages."""
    return Secret(hkdf_expand_label(suite, secret, label, transcript_hash, suite.hash_length))


def traffic_keys(suite: SuiteParameters, traffic_secret: Secret) -> TrafficKeys:
    """Key and IV from a traffic secret (§7.3)."""
    return TrafficKeys(
        key=hkdf_expand_label(suite, traffic_secret, b"key", b"", suite.key_length),
        iv=hkdf_expand_label(suite, traffic_secret, b"iv", b"", IV_LENGTH),
    )


def next_application_traffic_secret(suite: SuiteParameters, traffic_secret: Secret) -> Secret:
    """application_traffic_secret_N+1 (§7.2)."""
    return derive_secret(suite, traffic_secret, b"traffic upd", b"")


def resumption_psk(suite: SuiteParameters, resumption_secret: Secret, nonce: bytes) -> Secret:
    """The pre-shared key of one ticket (§4.7.1)."""
    return Secret(
        hkdf_expand_label(suite, resumption_secret, b"resumption", nonce, suite.hash_length)
    )


def finished_verify_data(suite: SuiteParameters, base_key: Secret, transcript_hash: bytes) -> bytes:
    """verify_data of Finished (§4.5.3)."""
    finished_key = hkdf_expand_label(suite, base_key, b"finished", b"", suite.hash_length)
    return hmac.digest(finished_key, transcript_hash, suite.hash_name)


@dataclass(frozen=True, slots=True)
class MainSecret:
    """Where application traffic secrets come from."""

    suite: SuiteParameters
    secret: Secret

    def client_application_traffic_secret_0(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...server Finished."""
        return derive_secret(self.suite, self.secret, b"c ap traffic", transcript_hash)

    def server_application_traffic_secret_0(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...server Finished."""
        return derive_secret(self.suite, self.secret, b"s ap traffic", transcript_hash)

    def exporter_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...server Finished."""
        return derive_secret(self.suite, self.secret, b"exp master", transcript_hash)

    def resumption_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...client Finished."""
        return derive_secret(self.suite, self.secret, b"res master", transcript_hash)


@dataclass(frozen=True, slots=True)
class HandshakeSecret:
    """Where handshake traffic secrets come from."""

    suite: SuiteParameters
    secret: Secret

    def client_handshake_traffic_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...ServerHello."""
        return derive_secret(self.suite, self.secret, b"c hs traffic", transcript_hash)

    def server_handshake_traffic_secret(self, transcript_hash: bytes) -> Secret:
        """Covers ClientHello...ServerHello."""
        return derive_secret(self.suite, self.secret, b"s hs traffic", transcript_hash)

    def main_secret(self) -> MainSecret:
        """Go on to the last stage."""
        salt = derive_secret(self.suite, self.secret, b"derived", self.suite.empty_hash)
        zeros = bytes(self.suite.hash_length)
        return MainSecret(self.suite, hkdf_extract(self.suite, salt.expose(), zeros))


@dataclass(frozen=True, slots=True)
class EarlySecret:
    """The first stage, with or without a pre-shared key."""

    suite: SuiteParameters
    secret: Secret

    @classmethod
    def without_psk(cls, suite: SuiteParameters) -> EarlySecret:
        """A full handshake: the pre-shared key is a string of zeros."""
        return cls(suite, _WITHOUT_PSK[suite.suite])

    @classmethod
    def with_psk(cls, suite: SuiteParameters, psk: Secret) -> EarlySecret:
        """A resumption."""
        return cls(suite, hkdf_extract(suite, bytes(suite.hash_length), psk.expose()))

    def binder_key(self) -> Secret:
        """What the binder of a key from a ticket is made with (§4.3.11.2)."""
        return derive_secret(self.suite, self.secret, b"res binder", self.suite.empty_hash)

    def handshake_secret(self, shared_secret: Secret) -> HandshakeSecret:
        """Mix in the key exchange: for a hybrid group both secrets, concatenated."""
        salt = derive_secret(self.suite, self.secret, b"derived", self.suite.empty_hash)
        return HandshakeSecret(
            self.suite, hkdf_extract(self.suite, salt.expose(), shared_secret.expose())
        )


# No secret at all: it is the same in every full handshake.
_WITHOUT_PSK = {
    suite.suite: hkdf_extract(suite, bytes(suite.hash_length), bytes(suite.hash_length))
    for suite in SUITES.values()
}
