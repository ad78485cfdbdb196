"""The forms of an ML-DSA private key, as OpenSSL 4 writes them and as RFC 9881 §6 allows them."""

import base64
import warnings

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from OpenSSL import crypto

from pqproxy.crypto import PrivateKeyError, key_algorithm, load_private_key
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.pbes2 import encrypt_private_key
from pqproxy.crypto.pkcs8 import encode_pkcs8, read_pkcs8
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
    content = base64.b64decode(b"".join(written_by_openssl(key).splitlines()[1:-1]))
    return key.private_bytes_raw(), content[-KINDS[kind][1] :]


def both(seed, expanded):
    return der(SEQUENCE, der(OCTETS, seed), der(OCTETS, expanded))


def refusal_of(content):
    with pytest.raises(PrivateKeyError) as refusal:
        load_private_key(pem(content))
    assert refusal.value.__context__ is None, "the library's message may quote the key"
    return str(refusal.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_as_openssl_writes_it_is_read(kind):
    loaded = load_private_key(written_by_openssl(pki.key(kind)))

    assert key_algorithm(loaded) == kind
    assert loaded.public_key() == pki.key(kind).public_key()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["seed", "both"])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("with_attributes", [False, True])
@pytest.mark.parametrize("with_public_key", [False, True])
def test_every_form_with_a_seed_is_read(kind, form, version, with_attributes, with_public_key):
    """Some tools add the public key or attributes (RFC 5958), in either version."""
    seed, expanded = halves(kind)
    public = pki.key(kind).public_key().public_bytes_raw()
    attribute = der(SEQUENCE, bytes.fromhex("0603550403"), der(0x31, b"\x05\x00"))
    more = [der(ATTRIBUTES, attribute)] * with_attributes
    more += [der(PUBLIC_KEY, b"\0", public)] * with_public_key
    content = der(SEED, seed) if form == "seed" else both(seed, expanded)

    loaded = load_private_key(pem(pkcs8(kind, content, *more, version=version)))

    assert loaded.private_bytes_raw() == seed


@pytest.mark.parametrize(("kind", "name"), [("mldsa44", "ML-DSA-44"), ("mldsa87", "ML-DSA-87")])
def test_an_expanded_key_is_refused_with_the_reason_and_the_way_out(kind, name):
    refusal = refusal_of(pkcs8(kind, der(OCTETS, halves(kind)[1])))

    assert f"{name} key in the expanded form, without its seed" in refusal
    assert f"openssl genpkey -algorithm {name} -out KEY" in refusal


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_writes_an_expanded_key_that_we_refuse_and_a_seed_that_we_read(kind):
    """All three forms are out there; the third is the test above."""
    seed, expanded = halves(kind)

    written = rewritten_by_openssl(pkcs8(kind, der(OCTETS, expanded)))
    assert seed not in written
    assert "in the expanded form, without its seed" in refusal_of(written)

    written = rewritten_by_openssl(pkcs8(kind, der(SEED, seed)))
    assert load_private_key(pem(written)).private_bytes_raw() == seed


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_signs_with_no_expanded_key(kind):
    """Why we refuse one. Should this fail one day, it can be taken."""
    der_of_expanded = pkcs8(kind, der(OCTETS, halves(kind)[1]))

    with pytest.raises(ValueError, match="Could not deserialize"):
        load_der_private_key(der_of_expanded, None)
    kind_of_key = getattr(mldsa, f"{kind.upper()}PrivateKey")
    assert {name for name in dir(kind_of_key) if name.startswith("from_")} == {"from_seed_bytes"}


@pytest.mark.parametrize("form", ["expanded", "both"])
def test_a_form_of_openssl_is_judged_alike_under_a_passphrase(form):
    """The library opens such a file, and then does not know what is in it."""
    seed, expanded = halves("mldsa65")
    content = both(seed, expanded) if form == "both" else der(OCTETS, expanded)
    locked = encrypt_private_key(pkcs8("mldsa65", content), b"correct horse")
    label = b"ENCRYPTED PRIVATE KEY"
    file = pem(locked).replace(b"PRIVATE KEY", label)

    if form == "both":
        assert load_private_key(file, passphrase=b"correct horse").private_bytes_raw() == seed
    else:
        with pytest.raises(PrivateKeyError, match="in the expanded form, without its seed"):
            load_private_key(file, passphrase=b"correct horse")


@pytest.mark.parametrize("part", ["seed", "matrix seed", "hash of the public key", "length"])
def test_halves_that_do_not_belong_together_are_refused(part):
    """Else two tools reading one file would hold two keys."""
    seed, expanded = map(bytearray, halves("mldsa65"))
    if part == "seed":
        seed[0] ^= 1
    elif part == "matrix seed":
        expanded[0] ^= 1
    elif part == "hash of the public key":
        expanded[127] ^= 1
    else:
        del expanded[-1]

    assert "do not belong together" in refusal_of(pkcs8("mldsa65", both(seed, expanded)))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "is in none of the forms"),
        (bytes(32), "is in none of the forms"),
        (der(SEED, bytes(31)), "is in none of the forms"),
        (der(SEED, bytes(32)) + b"\0", "has a seed of the wrong length"),
        (both(bytes(31), bytes(4032)), "has a seed of the wrong length"),
        (both(bytes(33), bytes(4032)), "has a seed of the wrong length"),
        (both(bytes(32), bytes(4032)) + b"\0", "is damaged"),
        (both(bytes(32), bytes(4032))[:-1], "is damaged"),
    ],
    ids=["empty", "raw", "short", "trailing", "both short", "both long", "both more", "both cut"],
)
def test_a_malformed_ml_dsa_key_is_named(content, named):
    assert f"ML-DSA-65 key {named}" in refusal_of(pkcs8("mldsa65", content))


COMPOSITE = COMPOSITES[0].generate()
ATTRIBUTE = der(SEQUENCE, bytes.fromhex("0603550403"), der(0x31, b"\x05\x00"))


def composite_pkcs8(*more, version=0, key=COMPOSITE, algorithm=b""):
    """The fields of OneAsymmetricKey (RFC 5958 §2), put together by hand."""
    identifier = bytes.fromhex("06082b0601050507062d") + algorithm
    content = der(OCTETS, key.private_bytes_raw())
    return der(SEQUENCE, der(INTEGER, bytes([version])), der(SEQUENCE, identifier), content, *more)


def test_a_composite_key_is_written_in_the_one_form():
    assert encode_pkcs8(COMPOSITE) == composite_pkcs8()
    assert load_private_key(pem(composite_pkcs8())).public_key() == COMPOSITE.public_key()


@pytest.mark.parametrize("version", [0, 1])
def test_a_composite_key_may_have_attributes_and_its_public_key_beside_it(version):
    public = der(PUBLIC_KEY, b"\0", COMPOSITE.public_key().public_bytes_raw())
    for more in ([der(ATTRIBUTES, ATTRIBUTE)], [public], [der(ATTRIBUTES, ATTRIBUTE), public]):
        loaded = load_private_key(pem(composite_pkcs8(*more, version=version)))
        assert loaded.public_key() == COMPOSITE.public_key()


@pytest.mark.parametrize("kind", ["mldsa65", "composite"])
def test_the_public_key_of_another_beside_it_is_refused(kind):
    """Whoever reads only that would certify one key, and sign with another."""
    if kind == "composite":
        make, public = composite_pkcs8, COMPOSITE.public_key().public_bytes_raw()
    else:
        seed, _ = halves("mldsa65")
        public = pki.key("mldsa65").public_key().public_bytes_raw()

        def make(*more):
            return pkcs8("mldsa65", der(SEED, seed), *more)

    changed = public[:-1] + bytes([public[-1] ^ 1])
    for wrong in (b"\0" + changed, b"\0" + public[:-1], b"\0" + public + b"\0", b"\0"):
        assert "does not belong to it" in refusal_of(make(der(PUBLIC_KEY, wrong)))


@pytest.mark.parametrize(
    "content",
    [
        composite_pkcs8(version=2),
        composite_pkcs8(algorithm=b"\5\0"),
        composite_pkcs8(b"\0\0"),
        composite_pkcs8() + b"\0",
        composite_pkcs8()[:-1],
        composite_pkcs8(der(PUBLIC_KEY, b"\0"), der(ATTRIBUTES, ATTRIBUTE)),
        b"\x30\x80" + composite_pkcs8()[4:] + b"\0\0",
    ],
    ids=["version", "parameters", "more", "behind", "cut", "order", "indefinite"],
)
def test_other_forms_of_a_composite_key_are_refused(content):
    assert "damaged or of an algorithm pqproxy does not know" in refusal_of(content)


def test_what_is_not_ml_dsa_is_left_to_others():
    ecdsa = ec.generate_private_key(ec.SECP256R1())
    content = ecdsa.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    other = der(SEQUENCE, bytes.fromhex("0603550403"))

    assert read_pkcs8(content) is None
    assert read_pkcs8(b"") is None
    assert read_pkcs8(content[:-1]) is None
    assert read_pkcs8(der(SEQUENCE, der(INTEGER, b"\0"), other, der(OCTETS, b"key"))) is None
