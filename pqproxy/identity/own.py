"""The identities this side presents: a certificate chain and the key that belongs to it.

Whatever is wrong with them is found at start and said with the name of the file, because a peer
would only see a handshake that fails.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.config.values import IdentityFiles
from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.keys import encode_private_key, key_algorithm, load_private_key
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import MALFORMED, CertificateNames, read_names, subject_of
from pqproxy.identity.pem import read_certificates, without_roots


@dataclass(frozen=True, slots=True)
class Identity:
    """One certificate chain with its private key, checked against each other."""

    name: str  # its name in the configuration
    chain: tuple[bytes, ...]  # DER, leaf first, without the root
    private_key: PrivateKey = field(repr=False)
    key_algorithm: str
    names: CertificateNames  # what peers see
    not_after: float  # unix seconds: when the first certificate of the chain ends

    @classmethod
    def load(cls, files: IdentityFiles, now: datetime, *, checked: bool = False) -> "Identity":
        """Read and check an identity. Raises IdentityError naming the file and the fix.

        What was `checked` by reading the same files before is read faster.
        """
        where = f"identity {files.name}: {files.source}"
        certificates = read_certificates(files.certificate, where)
        private_key = _private_key(files, certificates, checked)
        try:
            chain = without_roots(certificates)
            _check_match(certificates, chain, private_key, where)
            _check_order(chain, where)
            _check_leaf(chain[0], where)
            for certificate in chain:
                _check_dates(certificate, now, where)
            names = read_names(chain[0])
        except MALFORMED as error:
            message = f"{where}: a certificate does not parse: {error}"
            raise IdentityError(message, "issue it again") from None
        return cls(
            name=files.name,
            chain=tuple(certificate.public_bytes(Encoding.DER) for certificate in chain),
            private_key=private_key,
            key_algorithm=key_algorithm(private_key),
            names=names,
            not_after=min(c.not_valid_after_utc for c in chain).timestamp(),
        )


def unlock(files: IdentityFiles) -> IdentityFiles:
    """Return the same identity with a key that needs no passphrase, as workers are given it.

    A worker's streams would stand still for as long as it takes to open one. Raises IdentityError.
    """
    if files.passphrase is None:
        return files
    certificates = read_certificates(files.certificate, f"identity {files.name}: {files.source}")
    private_key = _private_key(files, certificates, checked=False)
    return replace(files, key=encode_private_key(private_key), passphrase=None)


def _private_key(
    files: IdentityFiles, certificates: tuple[x509.Certificate, ...], checked: bool
) -> PrivateKey:
    certified = tuple(key for each in certificates if (key := _certified_key(each)) is not None)
    try:
        return load_private_key(
            files.key, passphrase=files.passphrase, checked=checked, certified=certified
        )
    except CryptoError as error:
        found, _, fix = str(error).partition("; ")  # how to convert it
    raise IdentityError(f"identity {files.name}: {files.source}: {found}", fix)


def _check_match(
    certificates: tuple[x509.Certificate, ...],
    chain: tuple[x509.Certificate, ...],
    private_key: PrivateKey,
    where: str,
) -> None:
    wanted = private_key.public_key()
    if _certified_key(chain[0]) == wanted:
        return
    for number, certificate in enumerate(certificates, 1):
        if _certified_key(certificate) == wanted:
            raise IdentityError(
                f"{where}: the certificate of the private key is number {number} in the file",
                "put it first, then the intermediates in the order in which they signed",
            )
    raise IdentityError(
        f"{where}: the private key does not belong to the certificate ({subject_of(chain[0])})",
        "use the key that the certificate was issued for, or issue the certificate again",
    )


def _check_order(chain: tuple[x509.Certificate, ...], where: str) -> None:
    for below, above in pairwise(chain):
        if below.issuer != above.subject:
            raise IdentityError(
                f"{where}: the chain is out of order: {subject_of(above)} does not follow"
                f" {subject_of(below)}, which it did not sign",
                "put the leaf first, then each certificate's issuer after it",
            )


def _check_leaf(leaf: x509.Certificate, where: str) -> None:
    try:
        constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return
    if constraints.ca:
        raise IdentityError(
            f"{where}: {subject_of(leaf)} is the certificate of an authority; peers refuse it",
            "issue a leaf from it: pqproxy certs issue NAME",
        )


def _check_dates(certificate: x509.Certificate, now: datetime, where: str) -> None:
    subject = subject_of(certificate)
    if (ends := certificate.not_valid_after_utc) < now:
        raise IdentityError(
            f"{where}: {subject} expired on {ends:%Y-%m-%d %H:%M} UTC",
            "renew the certificate, or check the clock",
        )
    if (begins := certificate.not_valid_before_utc) > now:
        raise IdentityError(
            f"{where}: {subject} is not valid before {begins:%Y-%m-%d %H:%M} UTC",
            "wait, or check the clock",
        )


def _certified_key(certificate: x509.Certificate) -> PublicKey | None:
    try:
        return certificate_key(certificate)
    except MALFORMED:
        return None
