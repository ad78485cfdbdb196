"""How each kind of key signs a statement, and what each half of a signature is found to be.

Composite signatures and ML-DSA are made under a context of their own (FIPS 204 §5.2), which no
TLS handshake and no certificate uses. ECDSA has no such thing, so there the statement's first line
does that work alone. RSA is not taken: who can have new certificates for this can have better ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.composite import CompositeSignature, verify_by_openssl
from pqproxy.crypto.composite_keys import COMPOSITES, CompositeAlgorithm
from pqproxy.crypto.errors import InvalidHalves, InvalidSignature
from pqproxy.crypto.signatures import SIGNATURES
from pqproxy.signing.statement import CONTEXT


@dataclass(frozen=True, slots=True)
class StatementAlgorithm:
    """One way to sign a statement."""

    name: str
    key_algorithm: str  # which keys it fits; whoever calls has compared it
    sign: Callable[[Any, bytes], bytes]  # (private key, statement) -> signature
    # (public key, signature, statement) -> what each half is found to be, by its name
    halves: Callable[[Any, bytes, bytes], Mapping[str, bool]]


def _composite(algorithm: CompositeAlgorithm) -> StatementAlgorithm:
    signature = CompositeSignature(algorithm, verify_by_openssl, "openssl")

    def sign(key: PrivateKey, statement: bytes) -> bytes:
        return signature.sign(key, statement, CONTEXT)

    def halves(key: PublicKey, signed: bytes, statement: bytes) -> Mapping[str, bool]:
        try:
            signature.verify(key, signed, statement, CONTEXT)
        except InvalidHalves as error:
            return error.halves
        return dict.fromkeys((algorithm.ml_dsa.name, algorithm.traditional.name), True)

    return StatementAlgorithm(algorithm.name, algorithm.key_algorithm, sign, halves)


def _ml_dsa(parameter_set: int) -> StatementAlgorithm:
    name = f"ML-DSA-{parameter_set}"

    def halves(key: Any, signed: bytes, statement: bytes) -> Mapping[str, bool]:
        return {name: verify_by_openssl(key, signed, statement, CONTEXT)}

    def sign(key: Any, statement: bytes) -> bytes:
        return bytes(key.sign(statement, CONTEXT))

    return StatementAlgorithm(name, f"mldsa{parameter_set}", sign, halves)


def _ecdsa(name: str) -> StatementAlgorithm:
    (algorithm,) = (each for each in SIGNATURES if each.name == name)

    def halves(key: PublicKey, signed: bytes, statement: bytes) -> Mapping[str, bool]:
        try:
            algorithm.verify(key, signed, statement)
        except InvalidSignature:
            return {name: False}
        return {name: True}

    return StatementAlgorithm(name, algorithm.key_algorithm, algorithm.sign, halves)


_ALGORITHMS = (
    *map(_composite, COMPOSITES),
    *map(_ml_dsa, (44, 65, 87)),
    _ecdsa("ECDSA-P256-SHA256"),
    _ecdsa("ECDSA-P384-SHA384"),
)
BY_NAME: Mapping[str, StatementAlgorithm] = MappingProxyType({a.name: a for a in _ALGORITHMS})
BY_KEY: Mapping[str, StatementAlgorithm] = MappingProxyType(
    {a.key_algorithm: a for a in _ALGORITHMS}
)
