"""What the certificates of a server are made of: keys, signatures, names, dates.

Described as they came. Whether they are to be believed is another question, which `verify_with`
answers where somebody brings roots.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pqproxy.crypto.certificate_size import is_too_large
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.keys import UNSUPPORTED, key_algorithm
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import Refused
from pqproxy.identity.names import MALFORMED, issuer_of, printable, read_names, subject_of
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import Purpose
from pqproxy.identity.trust import Trust

Verify = Callable[[Sequence[bytes]], str | None]

_SHOWN_NAMES = 16
_POST_QUANTUM_KEYS = ("mldsa", "slh")
# Signature algorithms of certificates, by object identifier, in the words of `key_algorithm`.
_SIGNATURES = {
    "1.2.840.10045.4.1": "ecdsa-sha1",
    "1.2.840.10045.4.3.2": "ecdsa-sha256",
    "1.2.840.10045.4.3.3": "ecdsa-sha384",
    "1.2.840.10045.4.3.4": "ecdsa-sha512",
    "1.2.840.113549.1.1.5": "rsa-sha1",
    "1.2.840.113549.1.1.11": "rsa-sha256",
    "1.2.840.113549.1.1.12": "rsa-sha384",
    "1.2.840.113549.1.1.13": "rsa-sha512",
    "1.2.840.113549.1.1.10": "rsa-pss",
    "1.3.101.112": "ed25519",
    "1.3.101.113": "ed448",
    "2.16.840.1.101.3.4.3.17": "mldsa44",
    "2.16.840.1.101.3.4.3.18": "mldsa65",
    "2.16.840.1.101.3.4.3.19": "mldsa87",
    **{each.oid.dotted_string: each.key_algorithm for each in COMPOSITES},
}


@dataclass(frozen=True, slots=True)
class Described:
    """One certificate."""

    key: str  # ecdsa-p256, rsa-2048, mldsa65, …
    signature: str  # how its issuer signed it
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: str  # ISO 8601, UTC
    days_left: int
    size: int  # bytes of DER

    @property
    def is_post_quantum(self) -> bool:
        """Whether its key, and the signature on it, hold against a quantum computer."""
        return all(kind.startswith(_POST_QUANTUM_KEYS) for kind in (self.key, self.signature))


def describe(chain: Sequence[bytes], now: datetime) -> tuple[Described | None, ...]:
    """Describe each certificate; None for one that does not parse."""
    return tuple(
        None if is_too_large(der, authority=position > 0) else _describe(der, now)
        for position, der in enumerate(chain)
    )


def verify_with(trust: Trust, name: str, now: Callable[[], datetime]) -> Verify:
    """Return a judge of chains: why one is not believed for `name`, or None where it is.

    Raises IdentityError when the name is none.
    """
    expected = IdentityPatterns.parse([name])

    def verify(chain: Sequence[bytes]) -> str | None:
        try:
            expected.check(trust.verify(chain, Purpose.SERVER, now()))
        except Refused as refusal:
            return refusal.detail
        return None

    return verify


def _describe(der: bytes, now: datetime) -> Described | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = read_names(certificate)
        ends = certificate.not_valid_after_utc
        return Described(
            key=_key(certificate),
            signature=_signature(certificate.signature_algorithm_oid.dotted_string),
            subject=subject_of(certificate),
            issuer=issuer_of(certificate),
            names=tuple(
                map(printable, (*names.uris, *names.dns_names, *names.ip_addresses)[:_SHOWN_NAMES])
            ),
            not_after=ends.isoformat(),
            days_left=(ends - now).days,
            size=len(der),
        )
    except MALFORMED:
        return None


def _key(certificate: x509.Certificate) -> str:
    try:
        key = certificate_key(certificate)
    except UnsupportedAlgorithm:
        return _signature(certificate.public_key_algorithm_oid.dotted_string)
    except ValueError:  # it says of which kind it is, and is not
        return "unreadable"
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    found = key_algorithm(key)
    if found != UNSUPPORTED:
        return found
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ecdsa-{key.curve.name}"
    return type(key).__name__.removeprefix("_").removesuffix("PublicKey").lower()


def _signature(identifier: str) -> str:
    return _SIGNATURES.get(identifier, identifier)
