"""In-memory certificate authorities and leaves for every other test.

Keys are made once per process and label, because RSA and ML-DSA keys are slow to make. All
certificates are valid from 2020 to 2045, so that tests may use the real clock or `NOW`.

    root = pki.root("ecdsa-p256")
    leaf = root.issue(uris=("spiffe://corp/ns/apps/sa/llm",), dns=("llm.test",))
    leaf.chain_der, leaf.key, leaf.certificate_pem, leaf.key_pem, root.certificate_pem
    root.intermediate().issue(not_after=pki.PAST, eku=(pki.SERVER_AUTH,))
"""

import ipaddress
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pqproxy.config.values import IdentityFiles, TrustFiles
from pqproxy.crypto.composite import CompositeSignature, verify_by_openssl
from pqproxy.crypto.composite_keys import COMPOSITES, CompositePrivateKey, CompositePublicKey
from pqproxy.crypto.keys import encode_private_key
from pqproxy.crypto.spki import AlgorithmIdentifier, TbsCertificate, encode_public_key
from pqproxy.crypto.x509_signing import (
    authority_key_identifier,
    sign_certificate,
    sign_revocation_list,
    subject_key_identifier,
)

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2045, 1, 1, tzinfo=UTC)
PAST = datetime(2021, 1, 1, tzinfo=UTC)  # as not_after: expired
FUTURE = datetime(2044, 1, 1, tzinfo=UTC)  # as not_before: not yet valid

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH

ALGORITHMS = ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "mldsa44", "mldsa65", "mldsa87")


def _rsa_with_a_long_exponent():
    """A sound key whose public exponent, not the private one, is nearly as long as the modulus."""
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    p, q, modulus = numbers.p, numbers.q, numbers.public_numbers.n
    return rsa.RSAPrivateNumbers(
        p,
        q,
        d=65537,
        dmp1=65537,
        dmq1=65537,
        iqmp=numbers.iqmp,
        public_numbers=rsa.RSAPublicNumbers(numbers.d, modulus),
    ).private_key()


_GENERATORS = {
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa-1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 - to be refused
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-long-exponent": _rsa_with_a_long_exponent,
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
    **{each.key_algorithm: each.generate for each in COMPOSITES},
}
_HASHES = {
    "ecdsa-p256": hashes.SHA256(),
    "ecdsa-p384": hashes.SHA384(),
    "ecdsa-p521": hashes.SHA512(),
    "rsa-1024": hashes.SHA256(),
    "rsa-2048": hashes.SHA256(),
    "rsa-long-exponent": hashes.SHA256(),
}


@cache
def key(algorithm, label="leaf"):
    """The private key of that label: the same object each time."""
    return _GENERATORS[algorithm]()


@dataclass(frozen=True)
class Request:
    """What `issue`, `intermediate` and `root` may be asked for."""

    name: str = "leaf"  # subject's common name
    label: str | None = None  # of the key; None: the name
    uris: tuple = ()
    dns: tuple = ()
    ips: tuple = ()
    eku: tuple = (SERVER_AUTH, CLIENT_AUTH)  # empty: no extension
    not_before: datetime = NOT_BEFORE
    not_after: datetime = NOT_AFTER
    algorithm: str | None = None  # None: the issuer's
    ca: bool = False
    aki: bool = True
    key_usage: bool = True
    extra: tuple = ()  # (extension, critical) pairs, instead of those of their kinds or beside
    without: tuple = ()  # classes of extensions that are left out
    edit: Callable | None = (
        None  # changes the TbsCertificate; for ECDSA P-256 and composite signers
    )


@dataclass(frozen=True)
class Leaf:
    """A certificate with its key and its issuers, the root left out."""

    certificates: tuple
    key: object
    algorithm: str  # as ALGORITHMS spells it

    @property
    def certificate(self):
        return self.certificates[0]

    @property
    def chain_der(self):
        return tuple(c.public_bytes(serialization.Encoding.DER) for c in self.certificates)

    @property
    def certificate_pem(self):
        """The chain, leaf first."""
        return b"".join(_pem(c) for c in self.certificates)

    @property
    def key_pem(self):
        return _key_pem(self.key)

    @property
    def key_algorithm(self):
        """As `pqproxy.crypto.key_algorithm` spells it."""
        return "rsa" if self.algorithm.startswith("rsa") else self.algorithm

    def files(self, name="leaf"):
        return IdentityFiles(name, self.certificate_pem, self.key_pem, f"{name}.crt, {name}.key")

    def write(self, directory, name="leaf"):
        """Write PEM files; returns (certificate path, key path)."""
        certificate, private = Path(directory, f"{name}.crt"), Path(directory, f"{name}.key")
        certificate.write_bytes(self.certificate_pem)
        private.write_bytes(self.key_pem)
        private.chmod(0o600)
        return certificate, private


@dataclass(frozen=True)
class Authority:
    """A root or an intermediate. `issuers` are the certificates from it up to below the root."""

    certificate: x509.Certificate
    key: object
    algorithm: str
    issuers: tuple = ()

    @property
    def certificate_pem(self):
        return _pem(self.certificate)

    @property
    def certificate_der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(self, **request):
        """A leaf: the fields of `Request` by name."""
        wanted = Request(**request)
        algorithm = wanted.algorithm or self.algorithm
        private = key(algorithm, wanted.label or wanted.name)
        certificate = _build(wanted, private, self)
        return Leaf((certificate, *self.issuers), private, algorithm)

    def intermediate(self, **request):
        """An authority below this one."""
        wanted = Request(**{"name": "intermediate", "ca": True, "eku": (), **request})
        algorithm = wanted.algorithm or self.algorithm
        private = key(algorithm, wanted.label or wanted.name)
        certificate = _build(wanted, private, self)
        return Authority(certificate, private, algorithm, (certificate, *self.issuers))

    def trust_files(self, name="mesh"):
        return TrustFiles(name, (self.certificate_pem,), f"{name}.pem")

    def revoke(self, *revoked, last_update=NOT_BEFORE, next_update=NOT_AFTER, extra=()):
        """A revocation list of leaves, authorities and serial numbers."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(last_update)
            .next_update(next_update)
            .add_extension(authority_key_identifier(self.key.public_key()), critical=False)
        )
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical)
        for one in revoked:
            serial = one if isinstance(one, int) else one.certificate.serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(entry.revocation_date(NOT_BEFORE).build())
        return sign_revocation_list(builder, self.key)

    def write(self, directory, name="ca"):
        """Write the certificate; returns its path."""
        path = Path(directory, f"{name}.crt")
        path.write_bytes(self.certificate_pem)
        return path


@cache
def root(algorithm="ecdsa-p256", name="root", **request):
    """A self-signed authority; the same object for the same arguments."""
    wanted = Request(**{"ca": True, "eku": (), "name": name, "algorithm": algorithm, **request})
    private = key(algorithm, wanted.label or name)
    return Authority(_build(wanted, private, None), private, algorithm)


def self_signed(**request):
    """A leaf that nobody but itself signed."""
    wanted = Request(**{"algorithm": "ecdsa-p256", "name": "self-signed", **request})
    private = key(wanted.algorithm, wanted.label or wanted.name)
    return Leaf((_build(wanted, private, None),), private, wanted.algorithm)


def trust_files(*authorities, name="mesh"):
    """One trust set of several roots."""
    return TrustFiles(name, tuple(a.certificate_pem for a in authorities), f"{name}.pem")


def edited(certificate, edit, signer_key):
    """A certificate with `edit` done to its TbsCertificate, signed anew."""
    tbs = asn1.decode_der(TbsCertificate, certificate.tbs_certificate_bytes)
    identifier = der_of(certificate.signature_algorithm_oid)
    edit(tbs)
    message = asn1.encode_der(tbs)
    return outside(message, identifier, signature_of(message, signer_key))


def signature_of(message, key):
    """As it stands in a certificate; with an ECDSA, an ML-DSA or a composite key."""
    if isinstance(key, CompositePrivateKey):
        return CompositeSignature(key.algorithm, verify_by_openssl, "openssl").sign(key, message)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashes.SHA256()))
    return key.sign(message)


def outside(message, identifier, signature, padding_bits=0):
    """A certificate of these three parts, the first two in DER, whether they fit or not."""
    signed = Signed(
        to_be_signed=asn1.decode_der(asn1.TLV, message),
        algorithm=asn1.decode_der(asn1.TLV, identifier),
        signature=asn1.BitString(signature, padding_bits),
    )
    with warnings.catch_warnings(action="ignore"):  # it is meant to be wrong
        return x509.load_der_x509_certificate(asn1.encode_der(signed))


def der_of(oid):
    """An AlgorithmIdentifier without parameters."""
    return asn1.encode_der(AlgorithmIdentifier(algorithm=oid))


@asn1.sequence
class Signed:
    to_be_signed: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


def named(subject, issuer):
    """A certificate in DER with these names, which nobody in particular signed."""
    private = key("ecdsa-p256", "nobody in particular")
    builder = x509.CertificateBuilder(issuer, subject, private.public_key(), 1)
    builder = builder.not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _build(wanted, private, issuer):
    """Sign one certificate. Without an issuer it is self-signed."""
    signer_key = issuer.key if issuer else private
    signer_algorithm = issuer.algorithm if issuer else wanted.algorithm
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(wanted.name))
        .issuer_name(issuer.certificate.subject if issuer else _name(wanted.name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(wanted.not_before)
        .not_valid_after(wanted.not_after)
    )
    extensions = {e.oid: (e, c) for e, c in _extensions(wanted, private, signer_key)}
    for extension, critical in extensions.values():
        if not isinstance(extension, wanted.without):
            builder = builder.add_extension(extension, critical)
    if isinstance(signer_key, CompositePrivateKey):
        certificate = sign_certificate(builder, private.public_key(), signer_key)
    else:
        certificate = _signed_by_library(
            builder, private.public_key(), signer_key, signer_algorithm
        )
    return edited(certificate, wanted.edit, signer_key) if wanted.edit else certificate


def _signed_by_library(builder, subject_key, signer_key, signer_algorithm):
    """Also a composite key, which `pqproxy certs` would not put below an authority without."""
    hash_algorithm = _HASHES.get(signer_algorithm)
    if not isinstance(subject_key, CompositePublicKey):
        return builder.public_key(subject_key).sign(signer_key, hash_algorithm)
    certificate = builder.public_key(subject_key.ml_dsa).sign(signer_key, hash_algorithm)

    def edit(tbs):
        tbs.public_key = asn1.decode_der(asn1.TLV, encode_public_key(subject_key))

    return edited(certificate, edit, signer_key)


def _extensions(wanted, private, signer_key):
    yield x509.BasicConstraints(ca=wanted.ca, path_length=None), True
    yield subject_key_identifier(private.public_key()), False
    if wanted.aki:
        yield authority_key_identifier(signer_key.public_key()), False
    if wanted.key_usage and wanted.ca:
        yield _key_usage(key_cert_sign=True, crl_sign=True), True
    elif wanted.key_usage:
        yield _key_usage(digital_signature=True), True
    if wanted.eku:
        yield x509.ExtendedKeyUsage(wanted.eku), False
    names = [
        *map(x509.UniformResourceIdentifier, wanted.uris),
        *map(x509.DNSName, wanted.dns),
        *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in wanted.ips),
    ]
    if names:
        yield x509.SubjectAlternativeName(names), False
    yield from wanted.extra


def _key_usage(**usages):
    """The extension with these usages, all others left out."""
    every = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**{**every, **usages})


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(private):
    return encode_private_key(private)
