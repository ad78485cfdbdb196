import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mlkem, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pqproxy.crypto import PrivateKeyError, key_algorithm, load_private_key
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.keys import encode_private_key
from tests.support import pki

PASSPHRASE = b"correct horse"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
ALGORITHMS = {
    "ecdsa-p256": "ecdsa-p256",
    "ecdsa-p384": "ecdsa-p384",
    "rsa-2048": "rsa",
    "mldsa44": "mldsa44",
    "mldsa65": "mldsa65",
    "mldsa87": "mldsa87",
}


def pem_of(key, form=PrivateFormat.PKCS8, encryption=None):
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def encrypted(algorithm, form=PrivateFormat.PKCS8):
    return pem_of(pki.key(algorithm), form, BestAvailableEncryption(PASSPHRASE))


def refusal_of(pem, passphrase=None):
    with pytest.raises(PrivateKeyError) as refusal:
        load_private_key(pem, passphrase=passphrase)
    return str(refusal.value)


@pytest.mark.parametrize(("made", "name"), ALGORITHMS.items())
def test_a_private_key_and_its_public_key_have_one_name(made, name):
    assert key_algorithm(pki.key(made)) == name
    assert key_algorithm(pki.key(made).public_key()) == name


@pytest.mark.parametrize(
    "key",
    [
        pki.key("rsa-1024"),
        pki.key("ecdsa-p521"),
        pki.key("ed25519"),
        pki.key("ed25519").public_key(),
        ec.generate_private_key(ec.SECP256K1()),
        b"no key at all",
        None,
    ],
    ids=["rsa-1024", "p521", "ed25519", "ed25519 public", "p256k1", "bytes", "none"],
)
def test_other_keys_are_unsupported(key):
    assert key_algorithm(key) == "unsupported"


@pytest.mark.parametrize(("exponent", "name"), [(2**64 - 1, "rsa"), (2**64 + 1, "unsupported")])
def test_an_rsa_key_that_takes_long_to_verify_with_is_unsupported(exponent, name):
    modulus = pki.key("rsa-2048").public_key().public_numbers().n

    assert key_algorithm(rsa.RSAPublicNumbers(exponent, modulus).public_key()) == name


@pytest.mark.parametrize(
    ("bits", "name"),
    [(2047, "unsupported"), (2048, "rsa"), (4096, "rsa"), (4097, "unsupported")],
)
def test_rsa_keys_have_2048_to_4096_bits(bits, name):
    numbers = pki.key("rsa-2048").public_key().public_numbers()
    public_key = type(numbers)(numbers.e, 1 << bits - 1 | 1).public_key()

    assert key_algorithm(public_key) == name


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pkcs8_key_is_read(algorithm):
    key = pki.key(algorithm)

    assert load_private_key(pem_of(key)).public_key() == key.public_key()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-2048"])
def test_a_key_in_its_traditional_form_is_read(algorithm):
    key = pki.key(algorithm)

    loaded = load_private_key(pem_of(key, PrivateFormat.TraditionalOpenSSL))

    assert loaded.public_key() == key.public_key()


@pytest.mark.parametrize(
    "arrange",
    [
        lambda pem: CERTIFICATE + pem,
        lambda pem: pem + CERTIFICATE,
        lambda pem: EC_PARAMETERS + pem,
        lambda pem: b"Bag Attributes\n    friendlyName: llm\n" + pem,
        lambda pem: pem.replace(b"\n", b"\r\n"),
    ],
    ids=["after a certificate", "before one", "after parameters", "after text", "crlf"],
)
def test_a_key_is_found_wherever_tools_put_it(arrange):
    key = pki.key("ecdsa-p256")

    assert load_private_key(arrange(pem_of(key))).public_key() == key.public_key()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_without_a_passphrase_is_refused_with_both_ways_out(form):
    refusal = refusal_of(encrypted("ecdsa-p256", form))

    assert "is encrypted, and no passphrase is given" in refusal
    assert "--passphrase-file" in refusal
    assert "openssl pkey -in KEY -out key.pem" in refusal


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-2048"])
def test_an_encrypted_key_is_opened_in_each_of_its_forms(algorithm, form):
    loaded = load_private_key(encrypted(algorithm, form), passphrase=PASSPHRASE)

    assert loaded.public_key() == pki.key(algorithm).public_key()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("wrong", [b"another", b"", PASSPHRASE + b"\n"])
def test_a_wrong_passphrase_is_named(form, wrong):
    assert "does not open the private key" in refusal_of(encrypted("ecdsa-p256", form), wrong)


def test_a_passphrase_for_a_key_that_is_not_encrypted_is_refused():
    """Whoever gave one believes that the key is encrypted."""
    refusal = refusal_of(pem_of(pki.key("ecdsa-p256")), PASSPHRASE)

    assert "is not encrypted, but a passphrase is given" in refusal
    assert "openssl pkcs8 -topk8" in refusal
    assert "composite key: make a new one with pqproxy certs" in refusal  # OpenSSL knows none


@pytest.mark.parametrize("algorithm", [*pki.ALGORITHMS, *(c.key_algorithm for c in COMPOSITES)])
def test_every_key_that_we_encrypt_is_read_back(algorithm):
    pem = encode_private_key(pki.key(algorithm), PASSPHRASE)

    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    loaded = load_private_key(pem, passphrase=PASSPHRASE)
    assert loaded.public_key() == pki.key(algorithm).public_key()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "mldsa65"])
def test_others_read_what_we_encrypt(algorithm):
    pem = encode_private_key(pki.key(algorithm), PASSPHRASE)

    loaded = serialization.load_pem_private_key(pem, PASSPHRASE)

    assert loaded.public_key() == pki.key(algorithm).public_key()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "mldsa65", "mldsa65-ecdsa-p256"])
def test_what_we_write_without_a_passphrase_is_plain(algorithm):
    pem = encode_private_key(pki.key(algorithm))

    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert load_private_key(pem).public_key() == pki.key(algorithm).public_key()


@pytest.mark.parametrize("label", [b"ENCRYPTED PRIVATE KEY", b"PRIVATE KEY"])
def test_a_file_with_two_keys_is_refused(label):
    """Which one is meant would be a guess."""
    block = b"-----BEGIN %s-----\nMIIB\n-----END %s-----\n" % (label, label)

    assert "2 private keys in one file" in refusal_of(pem_of(pki.key("ecdsa-p256")) + block)


def test_an_openssh_key_is_refused_with_the_way_to_convert_it():
    assert "ssh-keygen -p -m PKCS8" in refusal_of(
        pem_of(pki.key("ecdsa-p256"), PrivateFormat.OpenSSH)
    )


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (pki.key("rsa-1024"), "RSA key of 1024 bits"),
        (pki.key("ecdsa-p521"), "EC key on secp521r1"),
        (ed25519.Ed25519PrivateKey.generate(), "kind Ed25519"),
        (ed448.Ed448PrivateKey.generate(), "kind Ed448"),
        (x25519.X25519PrivateKey.generate(), "kind X25519"),
        (mlkem.MLKEM768PrivateKey.generate(), "kind MLKEM768"),
        (dsa.generate_private_key(1024), "kind DSA"),  # noqa: S505 - to be refused
    ],
    ids=["rsa-1024", "p521", "ed25519", "ed448", "x25519", "mlkem768", "dsa"],
)
def test_a_key_we_cannot_use_is_named_beside_what_we_can(key, named):
    refusal = refusal_of(pem_of(key))

    assert named in refusal
    assert "use ECDSA P-256 or P-384, RSA of 2048 to 4096 bits, ML-DSA, or a composite" in refusal


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "the file is empty"),
        (b"hello", "no line -----BEGIN"),
        (b"\x30\x82\x01\x00", "openssl pkey -inform DER"),
        (CERTIFICATE, "only: certificate"),
        (CERTIFICATE + EC_PARAMETERS, "only: certificate, ec parameters"),
    ],
    ids=["empty", "text", "der", "certificate", "parameters"],
)
def test_what_is_no_private_key_is_named(content, named):
    assert named in refusal_of(content)


def test_a_public_key_in_place_of_a_private_one_is_named():
    public = pki.key("ecdsa-p256").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    assert "no private key here, only: public key" in refusal_of(pem)


@pytest.mark.parametrize(
    "body", [b"MIIB", b"====", b"M", base64.b64encode(b"\x30\x03\x02\x01\x00")]
)
def test_a_damaged_key_is_called_damaged(body):
    pem = b"-----BEGIN PRIVATE KEY-----\n" + body + b"\n-----END PRIVATE KEY-----\n"

    assert "damaged" in refusal_of(pem)


def test_a_key_cut_in_the_middle_is_called_damaged():
    assert "damaged" in refusal_of(pem_of(pki.key("ecdsa-p256"))[:120])


def test_an_rsa_key_that_was_checked_before_is_not_checked_again():
    """Trying its primes takes 60 ms, for which a worker's streams would stand still."""
    sound = rsa.generate_private_key(65537, 2048).private_numbers()
    numbers = rsa.RSAPrivateNumbers(
        sound.p, sound.q, sound.d + 2, sound.dmp1, sound.dmq1, sound.iqmp, sound.public_numbers
    )
    pem = pem_of(numbers.private_key(unsafe_skip_rsa_key_validation=True))

    with pytest.raises(PrivateKeyError):
        load_private_key(pem)
    assert key_algorithm(load_private_key(pem, checked=True)) == "rsa"
