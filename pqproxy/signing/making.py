"""Signs content: in memory, in a file, or from a stream of any length."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from pqproxy.config.values import PeerAuthentication, Profile
from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.keys import key_algorithm
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.profile import accepted_keys
from pqproxy.signing.algorithms import BY_KEY, StatementAlgorithm
from pqproxy.signing.clock import moment
from pqproxy.signing.content import Content, digest
from pqproxy.signing.envelope import MAX_CERTIFICATES, SIZE_LIMIT, Envelope
from pqproxy.signing.errors import SigningError
from pqproxy.signing.statement import Statement


def sign(
    content: Content,
    key: PrivateKey,
    chain: Sequence[bytes],
    *,
    authentication: PeerAuthentication = PeerAuthentication.HYBRID,
    at: datetime | None = None,
) -> bytes:
    """Return the signature file of `content` (bytes, a binary stream or a Path).

    `chain` holds the certificate of `key` and its issuers (DER, leaf first, without the root);
    `at` is the time to state, by default now. Raises SigningError, before anything is read, where
    key and chain do not fit, and ValueError for a time without a zone; OSError and ContentChanged
    where the content cannot be read.
    """
    when, algorithm = moment(at), _algorithm(key, authentication)
    _check_chain(key, chain)
    found = digest(content)
    statement = Statement(
        algorithm=algorithm.name,
        signer=hashlib.sha256(chain[0]).digest(),
        content=found.sha512,
        size=found.size,
        time=when.replace(microsecond=0),
    )
    signature = algorithm.sign(key, statement.write())
    written = Envelope(statement, signature, tuple(map(bytes, chain))).write()
    if len(written) > SIZE_LIMIT:
        raise SigningError(
            f"the signature would be larger than the {SIZE_LIMIT} bytes that are read of one",
            "use a shorter chain, or certificates with fewer names",
        )
    return written


def _algorithm(key: PrivateKey, authentication: PeerAuthentication) -> StatementAlgorithm:
    kind = key_algorithm(key)
    algorithm = BY_KEY.get(kind)
    if algorithm is None:
        raise SigningError(
            f"a key of type {kind} signs no content",
            "use a composite key, or ML-DSA or ECDSA where verifiers take those",
        )
    accepted = accepted_keys(Profile.DEFAULT, authentication)
    if accepted is not None and kind not in accepted:
        raise SigningError(
            f"a key of type {kind} makes no {authentication} signature",
            "use the key of a composite certificate (pqproxy certs issue NAME makes one), or "
            "permit others, as every verifier then has to: --authentication post-quantum or any",
        )
    return algorithm


def _check_chain(key: PrivateKey, chain: Sequence[bytes]) -> None:
    if not 1 <= len(chain) <= MAX_CERTIFICATES:
        raise SigningError(
            f"a chain of {len(chain)} certificates: a signature holds 1 to {MAX_CERTIFICATES}",
            "give the leaf and its intermediates, without the root",
        )
    try:
        leaf = x509.load_der_x509_certificate(bytes(chain[0]))
        matches = certificate_key(leaf) == key.public_key()
    except MALFORMED:
        raise SigningError(
            "the signer's certificate does not parse", "issue the certificate again"
        ) from None
    if not matches:
        raise SigningError(
            "the private key does not belong to the certificate",
            "put the leaf first, and give the key that it was issued for",
        )
