"""The forms of an ML-DSA private key, as OpenSSL 4 writes them and as RFC 9881 §6 allows them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from pqproxy.crypto import CryptoError, PrivateKeyError, key_algorithm, load_private_key
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import MismatchedKeyError
from pqproxy.crypto.keys import encode_private_key
from pqproxy.crypto.liboqs_library import load_liboqs
from pqproxy.crypto.pbes2 import encrypt_private_key
from pqproxy.crypto.pkcs8 import encode_pkcs8, read_pkcs8
from tests.support import pki
from tests.support.ml_dsa_forms import (
    ATTRIBUTES,
    INTEGER,
    KINDS,
    OCTETS,
    PUBLIC_KEY,
    SEED,
    SEQUENCE,
    both,
    der,
    expanded_pem,
    halves,
    pem,
    pkcs8,
    rewritten_by_openssl,
    written_by_openssl,
)


def refusal_of(content, **options):
    with pytest.raises(PrivateKeyError) as refusal:
        load_private_key(pem(content), **options)
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
def test_an_expanded_key_for_no_certificate_is_refused_with_the_reason_and_the_way_out(kind, name):
    """An authority signs with the library, and a request is for a key that can be named."""
    refusal = refusal_of(pkcs8(kind, der(OCTETS, halves(kind)[1])))

    assert f"{name} key in the expanded form, without its seed" in refusal
    assert "for all but a certificate's key" in refusal
    assert f"openssl genpkey -algorithm {name} -out KEY" in refusal


@pytest.mark.parametrize(("kind", "name"), [("mldsa44", "ML-DSA-44"), ("mldsa87", "ML-DSA-87")])
def test_without_liboqs_an_expanded_key_is_refused_with_the_ways_out(
    kind, name, tmp_path, monkeypatch
):
    load_liboqs.cache_clear()
    monkeypatch.setenv("OQS_INSTALL_PATH", str(tmp_path))

    refusal = refusal_of(
        pkcs8(kind, der(OCTETS, halves(kind)[1])), certified=[pki.key(kind).public_key()]
    )

    assert f"{name} key in the expanded form, without its seed, which pqproxy needs" in refusal
    assert "without liboqs (" in refusal
    assert f"openssl genpkey -algorithm {name} -out KEY, or install liboqs" in refusal


def test_liboqs_is_looked_for_only_when_it_is_needed(monkeypatch):
    monkeypatch.setattr(
        "pqproxy.crypto.pkcs8.load_liboqs", lambda: pytest.fail("it was looked for")
    )
    seed, expanded = halves("mldsa65")

    for content in (der(SEED, seed), both(seed, expanded)):
        load_private_key(pem(pkcs8("mldsa65", content)), certified=[pki.key("mldsa65")])
    refusal_of(pkcs8("mldsa65", der(OCTETS, expanded)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_public_key", [False, True])
def test_an_expanded_key_of_a_certified_one_is_read(liboqs, kind, with_public_key):
    public_key, expanded = pki.key(kind).public_key(), halves(kind)[1]
    more = [der(PUBLIC_KEY, b"\0", public_key.public_bytes_raw())] * with_public_key
    others = [pki.key("mldsa65", "other").public_key(), pki.key("ecdsa-p256").public_key()]

    loaded = load_private_key(
        pem(pkcs8(kind, der(OCTETS, expanded), *more)), certified=[*others, public_key]
    )

    assert key_algorithm(loaded) == kind
    assert loaded.public_key() is public_key
    assert loaded.private_bytes_raw() == expanded
    assert encode_pkcs8(loaded) == pkcs8(kind, der(OCTETS, expanded))


def test_an_expanded_key_of_nobody_certified_is_told_apart():
    """Without liboqs too: that a file is of another key is the first thing to know."""
    with pytest.raises(MismatchedKeyError, match="does not belong to the certificate") as refusal:
        load_private_key(
            expanded_pem(pki.key("mldsa65")),
            certified=[
                pki.key("mldsa65", "other").public_key(),
                pki.key("mldsa44").public_key(),
                pki.key("ecdsa-p256").public_key(),
            ],
        )
    assert refusal.value.__context__ is None


def test_the_public_key_of_another_beside_an_expanded_one_is_refused(liboqs):
    public_key = pki.key("mldsa65").public_key()
    wrong = public_key.public_bytes_raw()[:-1] + b"\0"
    content = pkcs8("mldsa65", der(OCTETS, halves("mldsa65")[1]), der(PUBLIC_KEY, b"\0", wrong))

    assert "does not belong to it" in refusal_of(content, certified=[public_key])


def test_a_damaged_expanded_key_is_found_out_by_trying_it_unless_that_was_done(liboqs):
    """The workers read what the supervisor has tried."""
    public_key, damaged = pki.key("mldsa65").public_key(), bytearray(halves("mldsa65")[1])
    damaged[200] ^= 1
    content = pem(pkcs8("mldsa65", der(OCTETS, bytes(damaged))))

    with pytest.raises(CryptoError, match="damaged: what it signs does not verify"):
        load_private_key(content, certified=[public_key])
    assert load_private_key(content, certified=[public_key], checked=True)


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_writes_an_expanded_key_and_a_seed_by_themselves(kind):
    """All three forms are out there."""
    seed, expanded = halves(kind)

    written = rewritten_by_openssl(pkcs8(kind, der(OCTETS, expanded)))
    assert seed not in written
    assert "in the expanded form, without its seed" in refusal_of(written)

    written = rewritten_by_openssl(pkcs8(kind, der(SEED, seed)))
    assert load_private_key(pem(written)).private_bytes_raw() == seed


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_signs_with_no_expanded_key(kind):
    """Why that takes liboqs. Should this fail one day, it does not."""
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


def test_an_expanded_key_is_read_under_a_passphrase(liboqs):
    public_key = pki.key("mldsa65").public_key()
    key = load_private_key(expanded_pem(pki.key("mldsa65")), certified=[public_key])
    file = encode_private_key(key, b"correct horse")

    loaded = load_private_key(file, passphrase=b"correct horse", certified=[public_key])

    assert b"ENCRYPTED" in file
    assert loaded.private_bytes_raw() == halves("mldsa65")[1]


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
        (der(OCTETS, bytes(4031)), "is damaged"),
        (der(OCTETS, bytes(4896)), "is damaged"),
        (der(OCTETS, bytes(4032)) + b"\0", "is damaged"),
        (der(OCTETS, bytes(4032))[:-1], "is damaged"),
    ],
    ids=[
        *("empty", "raw", "short", "trailing", "both short", "both long", "both more", "both cut"),
        *("expanded short", "expanded long", "expanded more", "expanded cut"),
    ],
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
