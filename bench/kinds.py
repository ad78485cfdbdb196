"""The kinds of certificate whose cost is measured, made in memory: a root, a server, a client."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.config.values import TrustFiles
from pqproxy.crypto import PrivateKey, key_algorithm
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.identity.certificates import Issuer, LeafNames, Validity, build_leaf, build_root
from pqproxy.identity.trust import Trust
from pqproxy.tls import Credential

DAYS = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of key, for roots and leaves alike."""

    name: str
    title: str
    generate: Callable[[], PrivateKey]


KINDS = (
    Kind("ecdsa-p256", "ECDSA P-256", lambda: ec.generate_private_key(ec.SECP256R1())),
    Kind("rsa-2048", "RSA-2048", lambda: rsa.generate_private_key(65537, 2048)),
    Kind("mldsa65", "ML-DSA-65", mldsa.MLDSA65PrivateKey.generate),
    Kind("mldsa65-ecdsa-p256", "ML-DSA-65 + ECDSA P-256", COMPOSITES[0].generate),
)


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part: a server and a client with a leaf each, and the trust set of their root."""

    server: Credential
    client: Credential
    trust: Trust

    @classmethod
    def of(cls, kind: Kind) -> "Parties":
        """Make a root and sign both leaves with it: chains of one certificate."""
        validity = Validity.starting(datetime.now(UTC), DAYS)
        key = kind.generate()
        root = build_root(key, kind.name, validity, trust_domain=None)
        issuer = Issuer(root, key)
        files = TrustFiles(kind.name, (root.public_bytes(Encoding.PEM),), kind.name)
        leaves = [_issue(kind, name, validity, issuer) for name in ("server", "client")]
        return cls(*leaves, Trust.load(files))

    @property
    def certificate_length(self) -> int:
        """Bytes of the server's certificate: what each intermediate would add, too."""
        return len(self.server.chain[0])


def _issue(kind: Kind, name: str, validity: Validity, issuer: Issuer) -> Credential:
    key = kind.generate()
    names = LeafNames.parse(spiffe=(f"spiffe://bench.test/{name}",))
    leaf: x509.Certificate = build_leaf(key.public_key(), name, names, validity, issuer)
    return Credential((leaf.public_bytes(Encoding.DER),), key, key_algorithm(key))
