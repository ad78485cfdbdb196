"""The forms of ML-DSA private keys (RFC 9881 §6): from OpenSSL 4, and put together by hand."""

import base64
import warnings
from dataclasses import replace

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import crypto

from pqproxy.crypto import key_algorithm
from tests.support import pki

KINDS = {"mldsa44": (17, 2560), "mldsa65": (18, 4032), "mldsa87": (19, 4896)}
SEED, OCTETS, SEQUENCE, INTEGER, ATTRIBUTES, PUBLIC_KEY = 0x80, 0x04, 0x30, 0x02, 0xA0, 0x81


def der(tag, *content):
    body = b"".join(content)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body


def pkcs8(kind, private_key, *more, version=0):
    algorithm = der(SEQUENCE, bytes.fromhex("06096086480165030403"), bytes([KINDS[kind][0]]))
    return der(SEQUENCE, der(INTEGER, bytes([version])), algorithm, der(OCTETS, private_key), *more)


def pem(content):
    body = base64.encodebytes(content)
    return b"-----BEGIN PRIVATE KEY-----\n" + body + b"-----END PRIVATE KEY-----\n"


def written_by_openssl(key):
    """The PEM of OpenSSL itself, which holds seed and expanded key."""
    seed_form = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded = crypto.load_privatekey(crypto.FILETYPE_PEM, seed_form)
        return crypto.dump_privatekey(crypto.FILETYPE_PEM, loaded)


def rewritten_by_openssl(content):
    """DER through OpenSSL, which keeps the form that it reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded = crypto.load_privatekey(crypto.FILETYPE_ASN1, content)
        return crypto.dump_privatekey(crypto.FILETYPE_ASN1, loaded)


def halves(kind):
    """The seed and the expanded key of one key."""
    key = pki.key(kind)
    return key.private_bytes_raw(), expanded_half(key)


def expanded_half(key):
    """The expanded key of any key."""
    content = base64.b64decode(b"".join(written_by_openssl(key).splitlines()[1:-1]))
    return content[-KINDS[key_algorithm(key)][1] :]


def both(seed, expanded):
    return der(SEQUENCE, der(OCTETS, seed), der(OCTETS, expanded))


def expanded_pem(key, change=bytes):
    """A key without its seed, perhaps changed."""
    return pem(pkcs8(key_algorithm(key), der(OCTETS, change(expanded_half(key)))))


def with_expanded_key(leaf, name="leaf", change=bytes):
    """The files of a leaf of `pki`, the key without its seed."""
    return replace(leaf.files(name), key=expanded_pem(leaf.key, change))
