"""Requests for certificates (PKCS#10, RFC 2986): made where the key is, signed where it is not.

Of a request only the key and the names are taken. Its subject, and whatever else it asks for, are
what somebody wished; what a leaf of ours looks like is not theirs to say.
"""

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ObjectIdentifier

from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.keys import UNSUPPORTED, key_algorithm
from pqproxy.crypto.spki import request_key
from pqproxy.crypto.x509_signing import sign_request
from pqproxy.identity.certificates import LeafNames, common_name
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.leaves import file_algorithm
from pqproxy.identity.names import MALFORMED, printable
from pqproxy.identity.proofs import request_fault

MAX_REQUESTS = 8  # in one file
_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>(NEW )?CERTIFICATE REQUEST)-----\r?\n.*?-----END (?P=label)-----",
    re.DOTALL,
)
_AGAIN = "make it again: pqproxy certs csr NAME"


@dataclass(frozen=True, slots=True)
class Request:
    """What a request asks for, checked: its maker has the key, and the names can be certified."""

    algorithm: str  # of its key, as files are called
    public_key: PublicKey
    names: LeafNames
    ignored: tuple[str, ...]  # what else stands in it, printable


def build_request(private_key: PrivateKey, name: str, names: LeafNames) -> bytes:
    """Return the PEM of a request for a leaf with these names."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name(name))
    builder = builder.add_extension(names.general_names(), critical=False)
    return sign_request(builder, private_key).public_bytes(Encoding.PEM)


def read_requests(pem: bytes, source: str) -> tuple[Request, ...]:
    """Read and check every request of a file. Raises IdentityError naming the first bad one."""
    blocks = [block[0] for block in _BLOCK.finditer(pem)]
    if not blocks:
        raise IdentityError(
            f"{source}: holds no certificate request",
            "give what pqproxy certs csr or openssl req -new wrote"
            " (from DER: openssl req -inform der -in FILE -out FILE.csr)",
        )
    if len(blocks) > MAX_REQUESTS:
        raise IdentityError(
            f"{source}: holds {len(blocks)} requests, at most {MAX_REQUESTS} are read",
            "make a file of each",
        )
    requests = [_read(block, f"{source}: request {n}") for n, block in enumerate(blocks, 1)]
    algorithms = [request.algorithm for request in requests]
    if len(set(algorithms)) != len(algorithms):
        raise IdentityError(f"{source}: holds two requests of one algorithm", "make a file of each")
    return tuple(requests)


def holds_request(pem: bytes) -> bool:
    """Whether a PEM file has a block with a request."""
    return _BLOCK.search(pem) is not None


def _read(block: bytes, where: str) -> Request:
    try:
        request = x509.load_pem_x509_csr(block)
        key = request_key(request)
        if key_algorithm(key) == UNSUPPORTED:
            raise IdentityError(
                f"{where} is for a key of a kind that no peer of ours takes",
                "use ECDSA P-256 or P-384, RSA of 2048 to 4096 bits, ML-DSA, or a composite",
            )
        if fault := request_fault(request, key):
            raise IdentityError(
                f"{where} does not prove that its maker has the key: {fault}", _AGAIN
            )
        return Request(file_algorithm(key), key, _names(request, where), tuple(_ignored(request)))
    except MALFORMED as error:
        raise IdentityError(f"{where} does not parse: {printable(str(error))}", _AGAIN) from None


def _names(request: x509.CertificateSigningRequest, where: str) -> LeafNames:
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise IdentityError(
            f"{where} asks for no name that peers can check",
            "make it with one: pqproxy certs csr NAME --spiffe …, or"
            " openssl req -addext subjectAltName=DNS:llm.test",
        ) from None
    names: dict[type[x509.GeneralName], list[str]] = {}
    for name in found:
        names.setdefault(type(name), []).append(str(name.value))
    spiffe, dns, ip = (
        tuple(names.pop(kind, ()))
        for kind in (x509.UniformResourceIdentifier, x509.DNSName, x509.IPAddress)
    )
    if names:
        kinds = ", ".join(kind.__name__ for kind in names)
        raise IdentityError(
            f"{where} asks for a name of a kind that is not certified here: {kinds}",
            "ask for SPIFFE IDs, DNS names and IP addresses only",
        )
    try:
        return LeafNames.parse(spiffe, dns, ip)
    except IdentityError as error:
        raise IdentityError(f"{where}: {error}", error.fix or _AGAIN) from None


def _ignored(request: x509.CertificateSigningRequest) -> list[str]:
    subject = printable(request.subject.rfc4514_string())
    extensions = [
        _called(extension.oid)
        for extension in request.extensions
        if not isinstance(extension.value, x509.SubjectAlternativeName)
    ]
    return [*([f"subject {subject}"] if subject else []), *extensions]


def _called(oid: ObjectIdentifier) -> str:
    name: str = oid._name  # the library's own word, and its only way to say it
    return oid.dotted_string if name == "Unknown OID" else name
