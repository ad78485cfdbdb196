"""A throw-away authority with one server and one client certificate, ECDSA P-256."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_URI = "spiffe://bench.test/server"
CLIENT_URI = "spiffe://bench.test/client"
LIFETIME = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Paths of a certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Everything a pair of mutually authenticated proxies needs."""

    root: Path
    server: KeyPair
    client: KeyPair


class _Authority:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench authority")])
        public = self.key.public_key()
        usage = _key_usage(key_cert_sign=True, crl_sign=True, digital_signature=False)
        self.certificate = (
            _builder(self.name, self.name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, uri: str, directory: Path) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key()
        names = [x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]
        alternative = x509.SubjectAlternativeName([*names, x509.IPAddress(ip_address("127.0.0.1"))])
        purposes = x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        certificate = (
            _builder(x509.Name([]), self.name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(alternative, critical=True)  # critical: the subject is empty
            .add_extension(purposes, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )
        name = uri.rpartition("/")[2]
        pair = KeyPair(directory / f"{name}.crt", directory / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(pair.key, key)
        return pair


def create(directory: Path) -> Certificates:
    """Make the authority and write what proxies read; the authority's key is forgotten."""
    authority = _Authority()
    root = directory / "root.crt"
    root.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    return Certificates(
        root, authority.issue(SERVER_URI, directory), authority.issue(CLIENT_URI, directory)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _key_usage(
    digital_signature: bool, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)
