"""Signature schemes and what CertificateVerify signs (RFC 9846 §4.3.3, §4.5.2).

A scheme is a row of data: its code point, the algorithm of `crypto/` that computes it, and
whether it may stand in CertificateVerify or in certificate chains only. Adding a composite
algorithm is adding a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pqproxy.crypto import InvalidSignature, Provider, PublicKey, key_algorithm
from pqproxy.crypto.certificate_size import is_too_large
from pqproxy.crypto.spki import certificate_key
from pqproxy.tls.alerts import AlertDescription, FatalAlert, illegal_parameter
from pqproxy.tls.codepoints import SignatureScheme, name_of

SERVER_CONTEXT = b"TLS 1.3, server CertificateVerify"
CLIENT_CONTEXT = b"TLS 1.3, client CertificateVerify"


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """One signature scheme."""

    scheme: int
    algorithm: str  # the name in crypto.Provider.signatures
    key_algorithm: str
    in_handshake: bool = True  # False: in certificate chains only (§4.3.3, rsa_pkcs1_*)


SCHEMES = {
    row.scheme: row
    for row in (
        *(
            SchemeRow(SignatureScheme[name], algorithm, name.replace("_", "-"))
            for name, algorithm in (
                ("mldsa65_ecdsa_p256", "MLDSA65-ECDSA-P256-SHA512"),
                ("mldsa87_ecdsa_p384", "MLDSA87-ECDSA-P384-SHA512"),
                ("mldsa65_ed25519", "MLDSA65-Ed25519-SHA512"),
                ("mldsa44_ecdsa_p256", "MLDSA44-ECDSA-P256-SHA256"),
            )
        ),
        SchemeRow(SignatureScheme.ecdsa_secp256r1_sha256, "ECDSA-P256-SHA256", "ecdsa-p256"),
        SchemeRow(SignatureScheme.ecdsa_secp384r1_sha384, "ECDSA-P384-SHA384", "ecdsa-p384"),
        SchemeRow(SignatureScheme.mldsa65, "ML-DSA-65", "mldsa65"),
        SchemeRow(SignatureScheme.mldsa87, "ML-DSA-87", "mldsa87"),
        SchemeRow(SignatureScheme.mldsa44, "ML-DSA-44", "mldsa44"),
        SchemeRow(SignatureScheme.rsa_pss_rsae_sha256, "RSA-PSS-SHA256", "rsa"),
        SchemeRow(SignatureScheme.rsa_pss_rsae_sha384, "RSA-PSS-SHA384", "rsa"),
        SchemeRow(SignatureScheme.rsa_pkcs1_sha256, "RSA-PKCS1-SHA256", "rsa", in_handshake=False),
        SchemeRow(SignatureScheme.rsa_pkcs1_sha384, "RSA-PKCS1-SHA384", "rsa", in_handshake=False),
        SchemeRow(SignatureScheme.rsa_pkcs1_sha512, "RSA-PKCS1-SHA512", "rsa", in_handshake=False),
    )
}

HANDSHAKE_SCHEMES = tuple(row.scheme for row in SCHEMES.values() if row.in_handshake)
CHAIN_SCHEMES = tuple(SCHEMES)


def schemes_for_key(key_algorithm_name: str, schemes: Iterable[int]) -> tuple[int, ...]:
    """Those of `schemes`, in their order, that a key of this algorithm can make."""
    return tuple(
        scheme
        for scheme in schemes
        if (row := SCHEMES.get(scheme))
        and row.in_handshake
        and row.key_algorithm == key_algorithm_name
    )


def certificate_verify_content(context: bytes, transcript_hash: bytes) -> bytes:
    """What a CertificateVerify signs: 64 spaces, the role, a zero byte, the transcript hash."""
    return b" " * 64 + context + b"\0" + transcript_hash


@dataclass(frozen=True, slots=True)
class CertificateVerifyCheck:
    """Everything a CertificateVerify from the peer is judged by."""

    provider: Provider
    accepted: tuple[int, ...]  # the schemes that we offered
    context: bytes
    transcript_hash: bytes
    leaf: bytes  # DER

    def verify(self, scheme: int, signature: bytes) -> None:
        """Check the peer's proof that it holds the key of its certificate.

        Raises:
            FatalAlert: illegal_parameter for a scheme not offered or not of the key;
                bad_certificate or unsupported_certificate for the certificate's key;
                decrypt_error when the signature is wrong (§4.5.2).
        """
        row = SCHEMES.get(scheme)
        if row is None or scheme not in self.accepted or not row.in_handshake:
            name = name_of(SignatureScheme, scheme)
            raise illegal_parameter(f"CertificateVerify uses {name}, which was not offered")
        public_key = leaf_public_key(self.leaf)
        if key_algorithm(public_key) != row.key_algorithm:
            name = name_of(SignatureScheme, scheme)
            raise illegal_parameter(
                f"CertificateVerify uses {name} with a key of type {key_algorithm(public_key)}"
            )
        content = certificate_verify_content(self.context, self.transcript_hash)
        try:
            self.provider.signatures[row.algorithm].verify(public_key, signature, content)
        except InvalidSignature as error:  # which half of a composite it was, for the operator
            raise FatalAlert(
                AlertDescription.DECRYPT_ERROR, f"CertificateVerify does not verify: {error}"
            ) from None


def leaf_public_key(certificate: bytes) -> PublicKey:
    """The public key of a DER certificate, which must be one for signing.

    Raises:
        FatalAlert: bad_certificate or unsupported_certificate.
    """
    if is_too_large(certificate, authority=False):
        raise FatalAlert(
            AlertDescription.BAD_CERTIFICATE, "the peer's certificate is far too large"
        )
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        may_sign = _may_sign(parsed)
        public_key = certificate_key(parsed)
    except UnsupportedAlgorithm:
        raise _unsupported("the peer's key is of an unsupported type") from None
    except _MALFORMED:
        raise FatalAlert(
            AlertDescription.BAD_CERTIFICATE, "the peer's certificate does not parse"
        ) from None
    if not may_sign:
        raise _unsupported("the keyUsage of the peer's certificate lacks digitalSignature")
    if key_algorithm(public_key) == "unsupported":
        raise _unsupported("the peer's key is of an unsupported type")
    if parsed.public_key_algorithm_oid == x509.PublicKeyAlgorithmOID.RSASSA_PSS:
        # The rsae schemes are for rsaEncryption keys (§4.3.3); we offer none for these.
        raise _unsupported("the peer's key is an RSASSA-PSS key, not an RSA key")
    return public_key


# What the library raises for a certificate or an extension that it cannot read.
_MALFORMED = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether its key may sign: digitalSignature, where keyUsage is there at all (§4.5.1.2)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.digital_signature


def _unsupported(reason: str) -> FatalAlert:
    return FatalAlert(AlertDescription.UNSUPPORTED_CERTIFICATE, reason)
