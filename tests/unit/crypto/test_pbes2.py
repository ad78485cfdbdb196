"""Encrypted keys of others, hostile ones, and what ours ask of whoever guesses."""

import base64
from contextlib import suppress

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.crypto import PrivateKeyError
from pqproxy.crypto.pbes2 import decrypt_private_key, encrypt_private_key
from tests.support import pki

PASSPHRASE = b"correct horse"
SEQUENCE, INTEGER, OCTETS, OID, NULL = 0x30, 0x02, 0x04, 0x06, b"\x05\x00"
PBES2, PBKDF2 = bytes.fromhex("2a864886f70d01050d"), bytes.fromhex("2a864886f70d01050c")
SCRYPT = bytes.fromhex("2b06010401da47040b")
HMAC_SHA256 = bytes.fromhex("2a864886f70d0209")
AES_256_CBC = bytes.fromhex("60864801650304012a")
DES3_CBC = bytes.fromhex("2a864886f70d0307")
PBE_MD5_DES = bytes.fromhex("2a864886f70d010503")


def der(tag, *content):
    body = b"".join(content)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


def integer(value):
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def identifier(oid, parameters):
    return der(SEQUENCE, der(OID, oid), parameters)


def pbkdf2(iterations=1, *more, function=HMAC_SHA256):
    parameters = [der(OCTETS, bytes(16)), integer(iterations), *more]
    if function:
        parameters.append(identifier(function, NULL))
    return identifier(PBKDF2, der(SEQUENCE, *parameters))


def scrypt(cost=2, block_size=1, lanes=1):
    numbers = map(integer, (cost, block_size, lanes))
    return identifier(SCRYPT, der(SEQUENCE, der(OCTETS, bytes(16)), *numbers))


def encrypted(derivation, cipher=None, content=bytes(16)):
    cipher = cipher or identifier(AES_256_CBC, der(OCTETS, bytes(16)))
    scheme = identifier(PBES2, der(SEQUENCE, derivation, cipher))
    return der(SEQUENCE, scheme, der(OCTETS, content))


def refusal_of(content, passphrase=PASSPHRASE):
    with pytest.raises(PrivateKeyError) as refusal:
        decrypt_private_key(content, passphrase)
    assert refusal.value.__context__ is None
    return str(refusal.value)


def plain():
    return pki.key("ecdsa-p256").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_what_we_encrypt_costs_whoever_guesses():
    """As OWASP asks of PBKDF2 with SHA-256."""
    content = encrypt_private_key(plain(), PASSPHRASE)

    assert integer(600_000) in content
    assert der(OID, HMAC_SHA256) in content
    assert der(OID, AES_256_CBC) in content


def test_no_two_files_of_one_key_are_alike():
    assert encrypt_private_key(plain(), PASSPHRASE) != encrypt_private_key(plain(), PASSPHRASE)


def test_what_another_library_encrypted_is_opened():
    content = pki.key("ecdsa-p256").private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)
    )

    assert decrypt_private_key(content, PASSPHRASE) == plain()


# Written by `openssl pkcs8 -topk8` of OpenSSL 3.0 around one key, with the options named.
OPENSSL = {
    "-v2 aes-256-cbc": (
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgd7bcqb1wVRwICCAAwDAYIKoZIhvcNAgkFADAdBglg"
        "hkgBZQMEASoEEH/DqY7Y+VoeN2jnEjsihbIEgZDjxEljcioVqzVB6sGOxBHjJIxd3eFHdma7ebXk10zlN3volpv1"
        "MQsrraa61YIbiveo8WmaX2KTJd9hQKwq0FKjrzw9+FXIzTJJoLfXCGvrimqYW0HNNqleLBB8f+pCoiMixu00rbEr"
        "nWQJrTIwgkIUUCpHJ8ysNCfZNCbL2QUs7R8ci1fA+1jWEo1hPHmWb7E="
    ),
    "-v2 aes-128-cbc -v2prf hmacWithSHA1": (
        "MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAgJe1XnsEMjtwICCAAwHQYJYIZIAWUDBAECBBC0fiD/"
        "pzncVk8RBBbjKJozBIGQXte14VsgaHVJW6tGtUL48nQt7LtxuHznHp/4012zRDZcdjL/+pXLuJq2cjgT0obkvpJ0"
        "lWZZ/4zBgEgCuVbee/wRy5nL5l8BiybdsvQpIcVn3Be1u4qV3HsezaUypWXo75M/6YTbgtY/QaVYu6F0ll5u+8rz"
        "n1+aPs3U5el1VkFRdOUIMI7wuuaFIEXOy98u"
    ),
    "-v2 aes-192-cbc -v2prf hmacWithSHA512 -iter 1000": (
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhQj6YE4HbuhwICA+gwDAYIKoZIhvcNAgsFADAdBglg"
        "hkgBZQMEARYEEDEub0UvzWk35cOZGyBrl3IEgZD07IrBj6piuEN1OSfxUPYPjNmY4eE4sh7YhIGpXwUN1TlRac7m"
        "OhS4YjGiqQ1Ev2LiwH2r8W8rMFT4saQ+DgCEm0GPv0xJimHuQ01hC4HxGzq9Jta6QYjIndY1R98kwyQ4EDIryYT3"
        "BeGtoJ/ecAb7HG/Rprtn16rRYFMOP3hWwc9drZ0zc4qriar9gf4XMlY="
    ),
    "-scrypt": (
        "MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAhnrTcfcAiMQQICQAACAQgCAQEwHQYJYIZIAWUDBAEq"
        "BBCjgy8FlCR/N1xGVjwOsxVRBIGQZjETBpnsPyX96tpKQP5EW2pq59NjzX+Ej9zXtwE8LHq4tEJ9h1/mx61iLBJP"
        "fqxD7R2FUK7cufst5TUIHyCUlHV7nI5NkNNnFEgjlX13NP+d6BuGRfJsnE+Ig2H1MwplxYs9APq+8B5y7OMSX7Uq"
        "jTQ/+0lTp7EOY8dEYRKK1nABs6ZakiblLNrWsve6UPTN"
    ),
    "-v2 aes-256-cbc -v2prf hmacWithSHA384": (
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj5vH6yX3s/CwICCAAwDAYIKoZIhvcNAgoFADAdBglg"
        "hkgBZQMEASoEEPiwOeSnE3IVPuIWXZ6xI4cEgZC891XNGutaxfydf5cRwspkX9/LmBtKymQVfGQcGCyanHKI5dWP"
        "3r8K0gMDpJmbdhLSjY9RfzlYmIqYf7Gkii3tYyhUHnSXIYOvorZIN+I3UxWg6FD38NK7dTdyhfTdpQhzizU37C76"
        "O/v6VzyTvNmSzeL+rB6MyoPXO++fYjDL1zpSXKzxBAeElqqOeTZEwbw="
    ),
    "-v2 aes-256-cbc -v2prf hmacWithSHA224": (
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj4cWfh1yueQgICCAAwDAYIKoZIhvcNAggFADAdBglg"
        "hkgBZQMEASoEEE8MWwRKNirE+JImKhHBsGcEgZB2xjMXDYcBehbFnk1C3B9E7UyxRYRgw3X7/VaL6KYR9QgshXDG"
        "FwHufzPiq0vDF2k+F4xWDLk5q4pUuQp7oevp2It0rhjcuUhbcJ70fZr2zonF4Qc3pCaBbzKRFx9gsHNZMzwIl7gF"
        "iLmyz7KVUNNMXdCWB/Ep0VtET6v6wDk/NEPVc6nAbQrqPVb3hTVyZcM="
    ),
}


@pytest.mark.parametrize("options", OPENSSL)
def test_what_openssl_encrypted_is_opened(options):
    opened = decrypt_private_key(base64.b64decode(OPENSSL[options]), b"correct horse")

    assert isinstance(load_der_private_key(opened, None), ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (encrypted(pbkdf2(5_000_001)), "asks for 5000001 iterations"),
        (encrypted(pbkdf2(2**31 - 1)), "asks for 2147483647 iterations"),
        (encrypted(scrypt(2**20, 8)), "asks for 1024 MiB of memory"),
        (encrypted(scrypt(2**14, 8, 5)), "asks for 5 lanes"),
        (encrypted(scrypt(2, 2**24)), "asks for 4096 MiB of memory"),
    ],
    ids=["iterations", "most iterations", "memory", "lanes", "blocks"],
)
def test_what_would_hang_the_start_is_refused_before_it_is_computed(content, named):
    refusal = refusal_of(content)

    assert named in refusal
    assert "openssl pkcs8 -topk8" in refusal


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (der(SEQUENCE, identifier(PBE_MD5_DES, der(SEQUENCE)), der(OCTETS)), "by a scheme"),
        (encrypted(pbkdf2(), identifier(DES3_CBC, der(OCTETS, bytes(8)))), "by a cipher"),
        (encrypted(identifier(PBES2, NULL)), "by a key derivation"),
        (encrypted(pbkdf2(function=PBES2)), "by a key derivation"),
    ],
    ids=["scheme", "cipher", "derivation", "function"],
)
def test_what_we_do_not_know_is_named_with_the_way_to_convert_it(content, named):
    refusal = refusal_of(content)

    assert f"encrypted {named} that pqproxy does not know (1.2.840.113549." in refusal
    assert "openssl pkcs8 -topk8 -v2 aes-256-cbc" in refusal


@pytest.mark.parametrize(
    "content",
    [
        b"",
        plain(),
        encrypted(pbkdf2())[:-1],
        encrypted(pbkdf2()) + b"\0",
        encrypted(pbkdf2(0)),
        encrypted(pbkdf2(-1)),
        encrypted(pbkdf2(1, integer(16))),
        encrypted(scrypt(3)),
        encrypted(scrypt(-2)),
        encrypted(scrypt(2**200, -1)),
        encrypted(scrypt(2, 1, -1)),
        encrypted(scrypt(2, 1, 0)),
        encrypted(pbkdf2(), identifier(AES_256_CBC, der(OCTETS, bytes(15)))),
    ],
)
def test_a_damaged_file_is_called_damaged(content):
    assert "the encrypted private key is damaged" in refusal_of(content)


@pytest.mark.parametrize("content", [b"", bytes(15), bytes(16), bytes(256)])
def test_content_that_cannot_be_right_looks_like_a_wrong_passphrase(content):
    assert "does not open" in refusal_of(encrypted(pbkdf2(), content=content))


def test_a_padding_that_fits_by_chance_does_not_let_garbage_through():
    """One wrong passphrase in 256 finds one."""
    content = encrypted(pbkdf2(), content=bytes(range(64)))

    refusals = {refusal_of(content, bytes([first, 7])) for first in range(256)}
    refusals |= {refusal_of(content, bytes([first, 8])) for first in range(256)}
    refusals |= {refusal_of(content, bytes([first, 9])) for first in range(256)}

    assert len(refusals) == 1


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    for content in (data, der(SEQUENCE, data), encrypted(identifier(PBKDF2, data))):
        with suppress(PrivateKeyError):
            decrypt_private_key(content, PASSPHRASE)


@given(st.integers(0, 400), st.integers(1, 255))
def test_any_changed_byte_is_refused_or_harmless(position, change):
    """Whatever was flipped: our error, never the library's."""
    content = bytearray(encrypted(pbkdf2(), content=bytes(48)))
    content[position % len(content)] ^= change
    with suppress(PrivateKeyError):
        asn1.decode_der(asn1.TLV, decrypt_private_key(bytes(content), PASSPHRASE))
