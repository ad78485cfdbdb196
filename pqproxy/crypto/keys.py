"""Private keys from PEM, and the words we have for kinds of keys.

A key that cannot be used is the mistake of a person who then has to convert it: each error says
what was found and what to type. No error holds a byte of the key, nor another error that might.
"""

import base64
import binascii
import re
from collections.abc import Collection
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.composite_keys import CompositePrivateKey, CompositePublicKey
from pqproxy.crypto.errors import PrivateKeyError
from pqproxy.crypto.expanded_keys import ExpandedPrivateKey
from pqproxy.crypto.pbes2 import decrypt_private_key, encrypt_private_key, wrong_passphrase
from pqproxy.crypto.pkcs8 import encode_pkcs8, read_pkcs8

UNSUPPORTED = "unsupported"
SMALLEST_RSA, LARGEST_RSA = 2048, 4096  # bits
# What OpenSSL allows for the larger moduli. With an exponent as long as its modulus, a key makes
# one verification eighty times as dear: 8 ms, at the choice of a peer that proved nothing yet.
LARGEST_RSA_EXPONENT = 64  # bits

_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
_ML_DSA: tuple[tuple[str, type, type], ...] = (
    ("mldsa44", mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey),
    ("mldsa65", mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey),
    ("mldsa87", mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey),
)
_SUPPORTED = "use ECDSA P-256 or P-384, RSA of 2048 to 4096 bits, ML-DSA, or a composite of both"

_PLAIN, _ENCRYPTED = "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_BODY = r"-----BEGIN {0}-----([A-Za-z0-9+/=\s]+)-----END {0}-----"
_BODIES = {label: re.compile(_BODY.format(label).encode()) for label in (_PLAIN, _ENCRYPTED)}
_ENCRYPTED_IN_OLD_FORM = b"Proc-Type: 4,ENCRYPTED"  # RFC 1421, around `RSA PRIVATE KEY` and others


def key_algorithm(key: object) -> str:
    """Name the kind of a key: `ecdsa-p256`, `rsa`, `mldsa65-ecdsa-p256`, …, or `unsupported`."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, UNSUPPORTED)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        fits = SMALLEST_RSA <= key.key_size <= LARGEST_RSA and not has_long_exponent(key)
        return "rsa" if fits else UNSUPPORTED
    if isinstance(key, CompositePrivateKey | CompositePublicKey):
        return key.algorithm.key_algorithm
    if isinstance(key, ExpandedPrivateKey):
        return key.key_algorithm
    for name, private, public in _ML_DSA:
        if isinstance(key, private | public):
            return name
    return UNSUPPORTED


def has_long_exponent(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> bool:
    """Whether it takes long to verify what an RSA key signed."""
    public_key = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    return public_key.public_numbers().e.bit_length() > LARGEST_RSA_EXPONENT


def load_private_key(
    pem: bytes,
    *,
    passphrase: bytes | None = None,
    checked: bool = False,
    certified: Collection[object] = (),
) -> PrivateKey:
    """Read a PEM key that pqproxy can use. Raises PrivateKeyError.

    A passphrase must be given for an encrypted key, and for no other. To open one takes up to
    seconds, as its file says, in which other threads run.

    Of a key that was `checked`, by reading it once before, the primes are not tried again: with
    RSA that takes 60 ms, in which no other thread runs.

    An ML-DSA key in the expanded form is read where liboqs is, and where it belongs to one of the
    public keys that are `certified`; for one that does not it raises MismatchedKeyError, and
    for one that fails when it is tried CryptoError.
    """
    encrypted = _is_encrypted(pem)
    if encrypted and passphrase is None:
        raise PrivateKeyError(
            "private key is encrypted, and no passphrase is given; give one (passphrase: in a "
            "configuration, else --passphrase-file or PQPROXY_PASSPHRASE), or decrypt the key: "
            "openssl pkey -in KEY -out key.pem"
        )
    if not encrypted and passphrase is not None:
        raise PrivateKeyError(
            "private key is not encrypted, but a passphrase is given; leave the passphrase out, "
            "or encrypt the key: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out key.pem "
            "(OpenSSL reads no composite key: make a new one with pqproxy certs and "
            "--key-passphrase-file)"
        )
    key = (
        _read_plain(pem, checked, certified)
        if passphrase is None
        else _read_encrypted(pem, passphrase, checked, certified)
    )
    if key is None:
        raise PrivateKeyError(
            f"private key is damaged or of an algorithm pqproxy does not know; {_SUPPORTED}"
        )
    if key_algorithm(key) == UNSUPPORTED:
        raise PrivateKeyError(f"{_describe(key)} is not supported; {_SUPPORTED}")
    return cast(PrivateKey, key)


def is_weakly_encrypted(pem: bytes) -> bool:
    """Whether a passphrase is guessed fast: the old form hashes it once, with MD5."""
    return _ENCRYPTED_IN_OLD_FORM in pem


def encode_private_key(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return the PEM of a key: PKCS#8, encrypted where there is a passphrase."""
    if isinstance(key, CompositePrivateKey | ExpandedPrivateKey):
        der = encode_pkcs8(key)
    else:
        der = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    if passphrase is None:
        return _pem(_PLAIN, der)
    return _pem(_ENCRYPTED, encrypt_private_key(der, passphrase))


def _pem(label: str, der: bytes) -> bytes:
    body = base64.b64encode(der).decode("ascii")
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def _is_encrypted(pem: bytes) -> bool:
    """Whether the one key in a file is. Raises PrivateKeyError where there is not one key."""
    labels = [label.decode("ascii") for label in _LABEL.findall(pem)]
    if not labels:
        convert = "; if it is DER: openssl pkey -inform DER -in KEY -out key.pem" if pem else ""
        raise PrivateKeyError(f"no PEM private key: {_no_label(pem)}{convert}")
    keys = [label for label in labels if label.endswith(_PLAIN)]
    if not keys:
        raise PrivateKeyError(f"no private key here, only: {', '.join(labels).lower()}")
    if len(keys) > 1:
        raise PrivateKeyError(
            f"{len(keys)} private keys in one file; leave the one that is meant "
            "(pqproxy certs export writes one kind with --algorithm)"
        )
    if keys == ["OPENSSH PRIVATE KEY"]:
        raise PrivateKeyError(
            "private key is in OpenSSH's format; convert it: ssh-keygen -p -m PKCS8 -f KEY"
        )
    return keys == [_ENCRYPTED] or is_weakly_encrypted(pem)


def _no_label(pem: bytes) -> str:
    return "there is no line -----BEGIN … KEY-----" if pem else "the file is empty"


def _read_plain(pem: bytes, checked: bool, certified: Collection[object]) -> object | None:
    # None, so that no later error is chained to one whose message we did not write.
    try:
        return serialization.load_pem_private_key(
            pem, password=None, unsafe_skip_rsa_key_validation=checked
        )
    except (TypeError, ValueError, UnsupportedAlgorithm):
        pass
    der = _body(pem, _PLAIN)
    return None if der is None else read_pkcs8(der, certified, checked=checked)


def _read_encrypted(
    pem: bytes, passphrase: bytes, checked: bool, certified: Collection[object]
) -> object | None:
    if is_weakly_encrypted(pem):
        return _read_old_form(pem, passphrase, checked)
    encrypted = _body(pem, _ENCRYPTED)
    if encrypted is None:
        return None
    der = decrypt_private_key(encrypted, passphrase)
    try:
        return serialization.load_der_private_key(
            der, password=None, unsafe_skip_rsa_key_validation=checked
        )
    except (TypeError, ValueError, UnsupportedAlgorithm):
        pass
    return read_pkcs8(der, certified, checked=checked)


def _read_old_form(pem: bytes, passphrase: bytes, checked: bool) -> object:
    """To derive its key cannot take long: see `is_weakly_encrypted`."""
    try:
        return serialization.load_pem_private_key(
            pem, password=passphrase, unsafe_skip_rsa_key_validation=checked
        )
    except (TypeError, ValueError, UnsupportedAlgorithm):
        pass
    raise wrong_passphrase()


def _body(pem: bytes, label: str) -> bytes | None:
    """The DER between the lines of a label, or None where that is no base64."""
    body = _BODIES[label].search(pem)
    try:
        return None if body is None else binascii.a2b_base64(body[1])
    except binascii.Error:
        return None


def _describe(key: object) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        exponent = " with a long exponent" if has_long_exponent(key) else ""
        return f"an RSA key of {key.key_size} bits{exponent}"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"an EC key on {key.curve.name}"
    kind = type(key).__name__.removesuffix("PrivateKey")
    return f"a private key of kind {kind}"
