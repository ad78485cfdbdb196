"""How the certificates of our own authority are built (RFC 5280, and the SPIFFE X.509-SVID rules).

Pure: names, dates and keys in, certificates out.
"""

import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.x509_signing import (
    authority_key_identifier,
    sign_certificate,
    subject_key_identifier,
)
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import SpiffeId, dns_name

# A certificate made a moment ago is valid on a machine whose clock is behind.
CLOCK_SKEW = timedelta(hours=1)
_MAX_DAYS = 36_500


# How keys of each kind are made, by what people call it.
ALGORITHMS: dict[str, Callable[[], PrivateKey]] = {
    **{each.key_algorithm: each.generate for each in COMPOSITES},
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}
HYBRID, STANDARD = "mldsa65-ecdsa-p256", "ecdsa-p256"
# What is made where nobody chose: for our own sidecars, and beside it for everybody else.
DEFAULT_ALGORITHMS = (HYBRID, STANDARD)


def preference(algorithm: str) -> tuple[int, str]:
    """Sort algorithms by it: hybrid ones first, as a listener offers them."""
    known = tuple(ALGORITHMS)
    return (known.index(algorithm) if algorithm in known else len(known), algorithm)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when."""

    not_before: datetime
    not_after: datetime

    @classmethod
    def starting(cls, now: datetime, days: int) -> "Validity":
        """Return the validity of something made now. Raises IdentityError for odd numbers."""
        if not 1 <= days <= _MAX_DAYS:
            raise IdentityError(f"{days} days is not a validity", f"choose 1 to {_MAX_DAYS} days")
        return cls.lasting(now, timedelta(days=days))

    @classmethod
    def lasting(cls, now: datetime, lifetime: timedelta) -> "Validity":
        """Return the validity of something made now that has that long to live."""
        return cls(now - CLOCK_SKEW, now + lifetime)

    @property
    def made(self) -> datetime:
        """The moment at which what has it was made."""
        return self.not_before + CLOCK_SKEW


@dataclass(frozen=True, slots=True)
class LeafNames:
    """What a leaf is called. Read it with `parse`."""

    spiffe: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls, spiffe: tuple[str, ...] = (), dns: tuple[str, ...] = (), ip: tuple[str, ...] = ()
    ) -> "LeafNames":
        """Check and normalise names. Raises IdentityError for what no peer would accept."""
        if not (spiffe or dns or ip):
            raise IdentityError(
                "a certificate needs a name that peers can check",
                "give --spiffe spiffe://corp/ns/apps/sa/llm, --dns llm.test or --ip 10.0.0.7",
            )
        if len(spiffe) > 1:
            raise IdentityError(
                f"a certificate holds one SPIFFE ID, not {len(spiffe)}",
                "issue a certificate for each",
            )
        try:
            ids = tuple(map(SpiffeId.parse, spiffe))
            names = tuple(map(dns_name, dns))
            addresses = tuple(map(_ip_address, ip))
        except ValueError as error:
            raise IdentityError(str(error)) from None
        for spiffe_id in ids:
            if not spiffe_id.segments:
                raise IdentityError(
                    f"{spiffe_id} names a trust domain, not a peer",
                    f"add a path, such as {spiffe_id}/ns/apps/sa/llm",
                )
        return cls(tuple(map(str, ids)), names, addresses)

    @property
    def every(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.spiffe, *self.dns, *self.ip)

    def general_names(self) -> x509.SubjectAlternativeName:
        """Return them as certificates and requests hold them."""
        return x509.SubjectAlternativeName(
            [
                *map(x509.UniformResourceIdentifier, self.spiffe),
                *map(x509.DNSName, self.dns),
                *(x509.IPAddress(ipaddress.ip_address(address)) for address in self.ip),
            ]
        )


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs."""

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)


def build_root(
    private_key: PrivateKey, algorithm: str, validity: Validity, trust_domain: str | None
) -> x509.Certificate:
    """Build a self-signed root that signs leaves only.

    Its name ends in random letters: two roots of one name but different keys, on two machines,
    make errors that nobody understands.
    """
    name = common_name(f"pqproxy {algorithm} root {secrets.token_hex(3)}")
    public_key = private_key.public_key()
    builder = _builder(public_key, name, validity).issuer_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    builder = builder.add_extension(authority_key_identifier(public_key), critical=False)
    if trust_domain is not None:
        names = x509.SubjectAlternativeName([_declaration(trust_domain)])
        builder = builder.add_extension(names, critical=False)
    return sign_certificate(builder, public_key, private_key)


def build_leaf(
    public_key: PublicKey, name: str, names: LeafNames, validity: Validity, issuer: Issuer
) -> x509.Certificate:
    """Build a leaf for both roles. It ends with its issuer at the latest."""
    not_after = min(validity.not_after, issuer.certificate.not_valid_after_utc)
    builder = (
        _builder(public_key, common_name(name), Validity(validity.not_before, not_after))
        .issuer_name(issuer.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(authority_key_identifier(issuer.private_key.public_key()), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(names.general_names(), critical=False)
    )
    return sign_certificate(builder, public_key, issuer.private_key)


def _builder(
    public_key: PublicKey, subject: x509.Name, validity: Validity
) -> x509.CertificateBuilder:
    """All but the key, which is put in where it is signed."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(subject_key_identifier(public_key), critical=False)
    )


def _declaration(trust_domain: str) -> x509.UniformResourceIdentifier:
    text = trust_domain if "://" in trust_domain else f"spiffe://{trust_domain}"
    try:
        spiffe_id = SpiffeId.parse(text)
    except ValueError as error:
        raise IdentityError(str(error)) from None
    if spiffe_id.segments:
        raise IdentityError(
            f"{spiffe_id} names a peer, not a trust domain",
            f"give the domain only: spiffe://{spiffe_id.trust_domain}",
        )
    return x509.UniformResourceIdentifier(str(spiffe_id))


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text} is not an IP address") from None


def common_name(text: str) -> x509.Name:
    """A subject that says what people call it; peers look at other names."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    """Authorities sign certificates and CRLs, leaves sign handshakes; nobody encrypts keys."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
