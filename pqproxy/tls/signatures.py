"""What CertificateVerify signs, and how the peer's is judged (RFC 9846 §4.5.2).

Which schemes there are is data of `schemes.py`.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pqproxy.crypto import InvalidSignature, Provider, PublicKey, key_algorithm
from pqproxy.crypto.peer_certificates import KEPT, TooLarge, read_certificate
from pqproxy.crypto.spki import certificate_key
from pqproxy.tls.alerts import (
    AlertDescription,
    FatalAlert,
    WeakAuthentication,
    illegal_parameter,
)
from pqproxy.tls.codepoints import PRIVATE_USE
from pqproxy.tls.schemes import SCHEMES, SchemeRow, SchemeTable
from pqproxy.tls.values import dataclass

SERVER_CONTEXT = b"TLS 1.3, server CertificateVerify"
CLIENT_CONTEXT = b"TLS 1.3, client CertificateVerify"


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
    schemes: SchemeTable = SCHEMES

    def verify(self, scheme: int, signature: bytes) -> SchemeRow:
        """Check the peer's proof that it holds the key of its certificate; say what made it.

        Raises:
            FatalAlert: illegal_parameter for a scheme not offered or not of the key;
                bad_certificate or unsupported_certificate for the certificate's key;
                decrypt_error when the signature is wrong (§4.5.2).
        """
        row, name = self.schemes.get(scheme), self.schemes.name(scheme)
        if row is None or scheme not in self.accepted or not row.in_handshake:
            raise WeakAuthentication(
                AlertDescription.ILLEGAL_PARAMETER,
                f"CertificateVerify uses {name}, which was not offered",
            )
        public_key = leaf_public_key(self.leaf)
        if key_algorithm(public_key) != row.key_algorithm:
            found = key_algorithm(public_key)
            reason = f"CertificateVerify uses {name} with a key of type {found}"
            if scheme >= PRIVATE_USE:  # to the peer the number may be that of another scheme
                reason += f": does 0x{scheme:04x}, of private use, mean the same on both sides?"
            raise illegal_parameter(reason)
        content = certificate_verify_content(self.context, self.transcript_hash)
        try:
            self.provider.signatures[row.algorithm].verify(public_key, signature, content)
        except InvalidSignature as error:  # which half of a composite it was, for the operator
            raise FatalAlert(
                AlertDescription.DECRYPT_ERROR, f"CertificateVerify does not verify: {error}"
            ) from None
        return row


@lru_cache(maxsize=KEPT)
def leaf_public_key(certificate: bytes) -> PublicKey:
    """The public key of a DER certificate, which must be one for signing.

    It follows from the bytes alone, so it is remembered for the next handshake.

    Raises:
        FatalAlert: bad_certificate or unsupported_certificate; they are not remembered.
    """
    try:
        parsed = read_certificate(certificate, authority=False)
        may_sign = _may_sign(parsed)
        public_key = certificate_key(parsed)
    except TooLarge:
        raise FatalAlert(
            AlertDescription.BAD_CERTIFICATE, "the peer's certificate is far too large"
        ) from None
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
    TypeError,  # a name, among others, whose value is a bit string
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
