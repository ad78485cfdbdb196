"""Signatures on certificates, read strictly: which algorithm, over what, by which key.

An AlgorithmIdentifier is compared whole, byte for byte, with the few that we know: there are no
parameters to interpret, and so none to be led astray by (RFC 5280 §4.1.1.2). `cryptography` knows
no composite algorithm; the others come through here only beside those, in one and the same chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.crypto.algorithms import PublicKey, SignatureAlgorithm
from pqproxy.crypto.composite import composite_signatures, verify_by_openssl
from pqproxy.crypto.composite_keys import COMPOSITE_BY_OID, COMPOSITES
from pqproxy.crypto.errors import InvalidSignature
from pqproxy.crypto.signatures import SIGNATURES
from pqproxy.crypto.spki import AlgorithmIdentifier, TbsCertificate

_ALGORITHMS: Mapping[str, SignatureAlgorithm] = {
    **{each.name: each for each in SIGNATURES},
    **composite_signatures(verify_by_openssl, "openssl"),
}

# DER of the whole AlgorithmIdentifier: RFC 5758 §3.2, RFC 8017 §A.2, RFC 9881 §2.
_IDENTIFIERS = {
    "300a06082a8648ce3d040302": "ECDSA-P256-SHA256",
    "300a06082a8648ce3d040303": "ECDSA-P384-SHA384",
    "300d06092a864886f70d01010b0500": "RSA-PKCS1-SHA256",
    "300d06092a864886f70d01010c0500": "RSA-PKCS1-SHA384",
    "300d06092a864886f70d01010d0500": "RSA-PKCS1-SHA512",
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a"
    "06092a864886f70d010108300d06096086480165030402010500a203020120": "RSA-PSS-SHA256",
    "304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a"
    "06092a864886f70d010108300d06096086480165030402020500a203020130": "RSA-PSS-SHA384",
    "300b0609608648016503040311": "ML-DSA-44",
    "300b0609608648016503040312": "ML-DSA-65",
    "300b0609608648016503040313": "ML-DSA-87",
}
_BY_IDENTIFIER = {
    **{bytes.fromhex(der): _ALGORITHMS[name] for der, name in _IDENTIFIERS.items()},
    **{
        asn1.encode_der(AlgorithmIdentifier(algorithm=each.oid)): _ALGORITHMS[each.name]
        for each in COMPOSITES
    },
}


@asn1.sequence
class _Signed:
    """What certificates, requests and revocation lists look like from outside."""

    to_be_signed: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


@dataclass(frozen=True, slots=True)
class CertificateSignature:
    """A signature with all that it takes to check it but the key."""

    algorithm: SignatureAlgorithm
    signature: bytes
    message: bytes

    def verify(self, issuer_key: PublicKey) -> None:
        """Raise InvalidSignature unless the key made it; of a composite, InvalidHalves."""
        self.algorithm.verify(issuer_key, self.signature, self.message)


def certificate_signature(certificate: x509.Certificate) -> CertificateSignature:
    """Return the signature on a certificate, not yet checked.

    Raises InvalidSignature for an algorithm that is unknown, or named differently in the two
    places where a certificate names it, or a signature that is not a whole number of bytes.
    """
    signed = asn1.decode_der(_Signed, certificate.public_bytes(Encoding.DER))
    message = certificate.tbs_certificate_bytes
    identifier = asn1.encode_der(signed.algorithm)
    if asn1.encode_der(asn1.decode_der(TbsCertificate, message).signature) != identifier:
        raise InvalidSignature("the signature algorithm is named twice, and differently")
    algorithm = _BY_IDENTIFIER.get(identifier)
    if algorithm is None:
        raise InvalidSignature("the signature algorithm is not a known one")
    if signed.signature.padding_bits():
        raise InvalidSignature("the signature is not a whole number of bytes")
    return CertificateSignature(algorithm, signed.signature.as_bytes(), message)


def involves_composite(certificate: x509.Certificate) -> bool:
    """Whether a certificate holds a composite key or was, as it says, signed with one."""
    return (
        certificate.public_key_algorithm_oid in COMPOSITE_BY_OID
        or certificate.signature_algorithm_oid in COMPOSITE_BY_OID
    )
