"""Private keys under a passphrase: PKCS#8 `EncryptedPrivateKeyInfo` with PBES2 (RFC 8018 §6.2).

`cryptography` opens these too, but not around a key that it does not know (a composite one, an
ML-DSA key in the form of OpenSSL), and it computes for as long as the file asks. Here what a file
may ask for is bounded, and what is written costs a guesser 300 times what OpenSSL's default does.

An error says what the scheme is and what to type. It is the same for every wrong passphrase, and
holds no byte of the file.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.x509 import ObjectIdentifier

from pqproxy.crypto.errors import PrivateKeyError

# Some four seconds at most, once at the start: enough for whatever people's tools write.
MOST_ITERATIONS = 5_000_000
MOST_SCRYPT_MEMORY = 128 * 1024 * 1024  # bytes; OpenSSL itself writes 16 MiB
_MOST_SCRYPT_LANES = 4  # each costs the whole computation again

_ITERATIONS = 600_000  # of what is written: 0.15 s
_SALT_LENGTH, _BLOCK_LENGTH, _KEY_LENGTH = 16, 16, 32

_PBES2 = ObjectIdentifier("1.2.840.113549.1.5.13")
_PBKDF2 = ObjectIdentifier("1.2.840.113549.1.5.12")
_SCRYPT = ObjectIdentifier("1.3.6.1.4.1.11591.4.11")
_HMAC_SHA256 = ObjectIdentifier("1.2.840.113549.2.9")
_HMAC: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.2.7": hashes.SHA1(),  # noqa: S303 - RFC 8018 §A.2: the default, in a MAC
    "1.2.840.113549.2.8": hashes.SHA224(),
    _HMAC_SHA256.dotted_string: hashes.SHA256(),
    "1.2.840.113549.2.10": hashes.SHA384(),
    "1.2.840.113549.2.11": hashes.SHA512(),
}
_AES_256_CBC = ObjectIdentifier("2.16.840.1.101.3.4.1.42")
_AES_CBC_KEY_LENGTHS = {
    "2.16.840.1.101.3.4.1.2": 16,
    "2.16.840.1.101.3.4.1.22": 24,
    _AES_256_CBC.dotted_string: _KEY_LENGTH,
}
_CONVERT = "write it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out key.pem"


@asn1.sequence
class _AlgorithmIdentifier:
    algorithm: ObjectIdentifier
    parameters: asn1.TLV


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    """RFC 5958 §3."""

    algorithm: _AlgorithmIdentifier
    encrypted: bytes


@asn1.sequence
class _Pbes2:
    """RFC 8018 §A.4."""

    key_derivation: _AlgorithmIdentifier
    cipher: _AlgorithmIdentifier


@asn1.sequence
class _PseudoRandomFunction:
    algorithm: ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _Pbkdf2:
    """RFC 8018 §A.2. Without a function it is HMAC with SHA-1."""

    salt: bytes
    iterations: int
    key_length: int | None
    function: _PseudoRandomFunction | None


@asn1.sequence
class _Scrypt:
    """RFC 7914 §7."""

    salt: bytes
    cost: int
    block_size: int
    parallelization: int
    key_length: int | None


@dataclass(frozen=True, slots=True)
class _Scheme:
    """What stands in a file, checked; nothing was computed yet."""

    derivation: PBKDF2HMAC | Scrypt
    cipher: modes.CBC
    encrypted: bytes


def decrypt_private_key(der: bytes, passphrase: bytes) -> bytes:
    """Return the DER of the key inside. Raises PrivateKeyError."""
    scheme = _read(der)
    try:
        return _decrypt(scheme, scheme.derivation.derive(passphrase))
    except (ValueError, MemoryError):
        pass
    # Outside the handler: what the library says of bytes made of a secret is for nobody.
    raise wrong_passphrase()


def encrypt_private_key(der: bytes, passphrase: bytes) -> bytes:
    """Return the DER of a key under a passphrase: PBKDF2 with HMAC-SHA256, AES-256-CBC."""
    salt, vector = os.urandom(_SALT_LENGTH), os.urandom(_BLOCK_LENGTH)
    function = _PseudoRandomFunction(algorithm=_HMAC_SHA256, parameters=asn1.Null())
    derivation = _Pbkdf2(salt=salt, iterations=_ITERATIONS, key_length=None, function=function)
    scheme = _Pbes2(
        key_derivation=_identifier(_PBKDF2, derivation), cipher=_identifier(_AES_256_CBC, vector)
    )
    key = PBKDF2HMAC(hashes.SHA256(), _KEY_LENGTH, salt, _ITERATIONS).derive(passphrase)
    padder = padding.PKCS7(algorithms.AES.block_size).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    encrypted = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()
    outer = _EncryptedPrivateKeyInfo(algorithm=_identifier(_PBES2, scheme), encrypted=encrypted)
    return asn1.encode_der(outer)


def _identifier(algorithm: ObjectIdentifier, parameters: object) -> _AlgorithmIdentifier:
    tlv = asn1.decode_der(asn1.TLV, asn1.encode_der(parameters))
    return _AlgorithmIdentifier(algorithm=algorithm, parameters=tlv)


def _read(der: bytes) -> _Scheme:
    try:
        outer = asn1.decode_der(_EncryptedPrivateKeyInfo, der)
        if outer.algorithm.algorithm != _PBES2:
            raise _foreign("scheme", outer.algorithm.algorithm)
        scheme = outer.algorithm.parameters.parse(_Pbes2)
        key_length = _AES_CBC_KEY_LENGTHS.get(scheme.cipher.algorithm.dotted_string)
        if key_length is None:
            raise _foreign("cipher", scheme.cipher.algorithm)
        vector = scheme.cipher.parameters.parse(bytes)
        if len(vector) == _BLOCK_LENGTH:
            derivation = _read_derivation(scheme.key_derivation, key_length)
            return _Scheme(derivation, modes.CBC(vector), outer.encrypted)
    except (ValueError, OverflowError, UnsupportedAlgorithm):
        pass
    raise PrivateKeyError("the encrypted private key is damaged; copy it again, whole")


def _read_derivation(identifier: _AlgorithmIdentifier, key_length: int) -> PBKDF2HMAC | Scrypt:
    if identifier.algorithm == _PBKDF2:
        return _pbkdf2(identifier.parameters.parse(_Pbkdf2), key_length)
    if identifier.algorithm == _SCRYPT:
        return _scrypt(identifier.parameters.parse(_Scrypt), key_length)
    raise _foreign("key derivation", identifier.algorithm)


def _pbkdf2(parameters: _Pbkdf2, key_length: int) -> PBKDF2HMAC:
    function: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303 - RFC 8018 §A.2: the default
    if parameters.function is not None:
        algorithm = parameters.function.algorithm
        if algorithm.dotted_string not in _HMAC:
            raise _foreign("key derivation", algorithm)
        function = _HMAC[algorithm.dotted_string]
    _check_key_length(parameters.key_length, key_length)
    if parameters.iterations > MOST_ITERATIONS:
        raise _dear(f"{parameters.iterations} iterations", f"{MOST_ITERATIONS}")
    return PBKDF2HMAC(function, key_length, parameters.salt, parameters.iterations)


def _scrypt(parameters: _Scrypt, key_length: int) -> Scrypt:
    _check_key_length(parameters.key_length, key_length)
    memory = 128 * parameters.cost * parameters.block_size  # RFC 7914 §2
    if memory > MOST_SCRYPT_MEMORY:
        raise _dear(f"{memory >> 20} MiB of memory", f"{MOST_SCRYPT_MEMORY >> 20} MiB")
    if parameters.parallelization > _MOST_SCRYPT_LANES:
        raise _dear(f"{parameters.parallelization} lanes", f"{_MOST_SCRYPT_LANES}")
    return Scrypt(
        parameters.salt,
        key_length,
        parameters.cost,
        parameters.block_size,
        parameters.parallelization,
    )


def _check_key_length(written: int | None, needed: int) -> None:
    if written is not None and written != needed:
        raise ValueError("the derived key does not fit the cipher")


def _decrypt(scheme: _Scheme, key: bytes) -> bytes:
    """Raises ValueError when the key does not fit."""
    decryptor = Cipher(algorithms.AES(key), scheme.cipher).decryptor()
    unpadder = padding.PKCS7(algorithms.AES.block_size).unpadder()
    padded = decryptor.update(scheme.encrypted) + decryptor.finalize()
    plain = unpadder.update(padded) + unpadder.finalize()
    # One wrong key in 256 leaves a padding that could be one; hardly any a value of DER as well.
    asn1.decode_der(asn1.TLV, plain)
    return plain


def wrong_passphrase() -> PrivateKeyError:
    """The one answer to every passphrase that opens nothing."""
    return PrivateKeyError(
        "the passphrase does not open the private key; use the one it was encrypted under, or, "
        "if that is it, copy the file again, whole"
    )


def _foreign(what: str, algorithm: ObjectIdentifier) -> PrivateKeyError:
    return PrivateKeyError(
        f"the private key is encrypted by a {what} that pqproxy does not know"
        f" ({algorithm.dotted_string}); {_CONVERT}"
    )


def _dear(asked: str, most: str) -> PrivateKeyError:
    return PrivateKeyError(
        f"the private key asks for {asked} to be opened, above {most}; {_CONVERT}"
    )
