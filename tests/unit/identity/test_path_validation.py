"""Paths with composite keys: good ones, and a table of those that break a rule each."""

import itertools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.spki import SubjectPublicKeyInfo
from pqproxy.identity import path_validation
from pqproxy.identity.path_rules import (
    DEPTH,
    ISSUER,
    KEY_IDENTIFIER,
    LOOP,
    MAX_INTERMEDIATES,
    PARSES,
    SIGNATURE,
    RuleBroken,
)
from pqproxy.identity.path_validation import MAX_SIGNATURE_CHECKS, Anchors, validate_path
from pqproxy.identity.peer import Purpose
from tests.support import pki
from tests.support.chains import COMPOSITE, GOOD_CHAINS, ID, MALFORMED_CHAINS, chain

KINDS = tuple(each.key_algorithm for each in COMPOSITES)
GOOD = chain()
ROOT = pki.root(COMPOSITE)


def validate(*certificates, purpose=Purpose.CLIENT, now=pki.NOW):
    """The last one is the root."""
    return validate_path(certificates[:-1], Anchors(certificates[-1:]), purpose, now)


def broken(*certificates, **circumstances):
    with pytest.raises(RuleBroken) as refusal:
        validate(*certificates, **circumstances)
    return refusal.value


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("kind", KINDS)
def test_a_good_chain_of_each_algorithm_is_a_path(kind, purpose):
    good = chain(kind=kind)

    assert validate(*good, purpose=purpose) == list(good)


def test_issuers_come_in_any_order():
    leaf, *issuers, root = GOOD

    for order in itertools.permutations(issuers):
        assert validate(leaf, *order, root) == list(GOOD)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize(
    ("place", "recipe", "rule"),
    MALFORMED_CHAINS,
    ids=[f"{n} {place} {rule}" for n, (place, _, rule) in enumerate(MALFORMED_CHAINS)],
)
def test_a_malformed_chain_breaks_the_rule_that_is_about_it(place, recipe, rule):
    assert broken(*chain(**{place: recipe})).rule.name == rule


@pytest.mark.parametrize(
    "recipes",
    GOOD_CHAINS,
    ids=range(len(GOOD_CHAINS)),
)
def test_what_a_rule_allows_is_not_refused(recipes):
    """The other side of each edge."""
    good = chain(**recipes)

    assert validate(*good) == list(good)


@pytest.mark.parametrize("traditional", ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "mldsa87"])
def test_links_without_a_composite_key_are_part_of_a_path_like_any_other(traditional):
    """Whether such a mixture is wanted is asked elsewhere."""
    below = ROOT.intermediate(name="plain", algorithm=traditional)
    leaf = below.issue(uris=(ID,)).certificate

    assert len(validate(leaf, below.certificate, ROOT.certificate)) == 3
    assert broken(forged(leaf), below.certificate, ROOT.certificate).rule is SIGNATURE


def forged(certificate):
    """With the last bit of its signature changed."""
    der = bytearray(certificate.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_certificate(bytes(der))


def test_a_composite_leaf_below_an_ecdsa_root_is_a_path():
    root = pki.root("ecdsa-p256")
    leaf = root.issue(uris=(ID,), algorithm=COMPOSITE).certificate

    assert validate(leaf, root.certificate) == [leaf, root.certificate]
    assert broken(forged(leaf), root.certificate).rule is SIGNATURE


def resigned(signature, identifier=None, padding_bits=0):
    """The leaf of the good chain with another signature."""
    leaf = GOOD[0]
    identifier = identifier or pki.der_of(leaf.signature_algorithm_oid)
    return pki.outside(leaf.tbs_certificate_bytes, identifier, signature, padding_bits)


def flipped(signature, at):
    changed = bytearray(signature)
    changed[at] ^= 1
    return bytes(changed)


LEAF = GOOD[0]
ML_DSA_LENGTH = COMPOSITES[0].ml_dsa.signature_length
ML_DSA_HALF, EC_HALF = LEAF.signature[:ML_DSA_LENGTH], LEAF.signature[ML_DSA_LENGTH:]
STRANGER = chain(root={"label": "another key"})[0].signature
BOTH_WRONG = "the ML-DSA-65 half does not verify, the ECDSA-P256-SHA256 half does not verify"
FIRST_WRONG = "the ML-DSA-65 half does not verify, the ECDSA-P256-SHA256 half verifies"
SECOND_WRONG = "the ML-DSA-65 half verifies, the ECDSA-P256-SHA256 half does not verify"


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (flipped(LEAF.signature, 0), FIRST_WRONG),
        (flipped(LEAF.signature, -1), SECOND_WRONG),
        (flipped(flipped(LEAF.signature, 0), -1), BOTH_WRONG),
        (STRANGER, BOTH_WRONG),
        (ML_DSA_HALF + STRANGER[ML_DSA_LENGTH:], SECOND_WRONG),
        (STRANGER[:ML_DSA_LENGTH] + EC_HALF, FIRST_WRONG),
        (ML_DSA_HALF, SECOND_WRONG),
        (EC_HALF, BOTH_WRONG),
        (bytes(ML_DSA_LENGTH) + EC_HALF, FIRST_WRONG),
        (EC_HALF + ML_DSA_HALF, BOTH_WRONG),
        (LEAF.signature + b"\0", SECOND_WRONG),
        (LEAF.signature[:-1], SECOND_WRONG),
        (b"", BOTH_WRONG),
    ],
    ids=["first byte", "last byte", "both", "another key's", "another key's ECDSA",
         "another key's ML-DSA", "only ML-DSA", "only ECDSA", "zeros for ML-DSA",
         "the wrong way round", "a byte more", "a byte less", "empty"],
)  # fmt: skip
def test_both_halves_of_a_signature_must_verify_and_the_bad_one_is_named(signature, why):
    refusal = broken(resigned(signature), *GOOD[1:])

    assert (refusal.rule, refusal.certificate.subject) == (SIGNATURE, LEAF.subject)
    assert str(refusal).endswith(why)


def named_inside(identifier):
    """A leaf that says, in what is signed, that it is signed with this algorithm."""

    def edit(tbs):
        tbs.signature = pki.asn1.decode_der(pki.asn1.TLV, identifier)

    tbs = pki.edited(LEAF, edit, ROOT.key).tbs_certificate_bytes
    lower = pki.key(COMPOSITE, "lower")
    return pki.outside(tbs, identifier, pki.signature_of(tbs, lower))


OWN, OTHER = (pki.der_of(each.oid) for each in COMPOSITES[:2])
NULL = bytes([0x30, len(OWN)]) + OWN[2:] + bytes.fromhex("0500")


@pytest.mark.parametrize(
    "leaf",
    [
        resigned(LEAF.signature, OTHER),
        resigned(LEAF.signature, NULL),
        resigned(LEAF.signature[:-1] + bytes([LEAF.signature[-1] & 0xFE]), padding_bits=1),
        named_inside(NULL),
        named_inside(OTHER),
        named_inside(pki.der_of(SignatureAlgorithmOID.ML_DSA_65)),
        named_inside(pki.der_of(SignatureAlgorithmOID.ECDSA_WITH_SHA256)),
        named_inside(pki.der_of(x509.ObjectIdentifier("1.2.3.4"))),
    ],
    ids=["two names", "parameters outside", "half a byte", "parameters", "another composite",
         "the ML-DSA half alone", "the ECDSA half alone", "unknown"],
)  # fmt: skip
def test_a_signature_is_by_the_algorithm_of_the_issuers_key_and_exactly_so(leaf):
    refusal = broken(leaf, *GOOD[1:])

    assert (refusal.rule.name, refusal.certificate) == ("signature-algorithm", leaf)


def key_changed(change):
    """A leaf whose key is damaged, signed soundly."""

    def edit(tbs):
        info = tbs.public_key.parse(SubjectPublicKeyInfo)
        raw, padding = change(info.public_key.as_bytes())
        info.public_key = pki.asn1.BitString(raw, padding)
        tbs.public_key = pki.asn1.decode_der(pki.asn1.TLV, pki.asn1.encode_der(info))

    return pki.edited(LEAF, edit, pki.key(COMPOSITE, "lower"))


@pytest.mark.parametrize(
    "change",
    [
        lambda key: (key[:-1], 0),
        lambda key: (key + b"\0", 0),
        lambda key: (key[:1952], 0),
        lambda key: (key[1952:], 0),
        lambda key: (key[:-1] + bytes([key[-1] ^ 1]), 0),  # not on the curve
        lambda key: (key[:1952] + b"\2" + key[1953 : 1953 + 32], 0),  # compressed
        lambda key: (key[:-1] + bytes([key[-1] & 0xFE]), 1),
        lambda key: (b"", 0),
    ],
    ids=["shorter", "longer", "only ML-DSA", "only ECDSA", "off the curve", "compressed",
         "half a byte", "empty"],
)  # fmt: skip
def test_a_composite_key_is_both_keys_whole(change):
    assert broken(key_changed(change), *GOOD[1:]).rule is PARSES


def test_a_key_that_is_not_accepted_is_none_in_a_path():
    below = ROOT.intermediate(algorithm="ecdsa-p521")
    leaf = ROOT.issue(uris=(ID,), algorithm="ed25519").certificate

    assert broken(leaf, ROOT.certificate).rule.name == "public-key"
    assert broken(*below.issue(uris=(ID,)).certificates, ROOT.certificate).rule.name == "public-key"


def test_a_gap_in_a_chain_is_an_issuer_that_is_not_there():
    leaf, lower, upper, root = GOOD

    assert broken(leaf, lower, root).certificate is lower
    assert broken(leaf, upper, root).certificate is leaf
    assert broken(leaf, lower, upper, pki.root(COMPOSITE, name="other").certificate).rule is ISSUER


def below(authority, levels):
    for level in range(levels):
        authority = authority.intermediate(name=f"level {level}")
    return authority


def test_a_path_is_as_deep_as_the_limit_and_no_deeper():
    deepest = below(ROOT, MAX_INTERMEDIATES).issue(uris=(ID,)).certificates
    deeper = below(ROOT, MAX_INTERMEDIATES + 1).issue(uris=(ID,)).certificates

    assert len(validate(*deepest, ROOT.certificate)) == MAX_INTERMEDIATES + 2
    assert broken(*deeper, ROOT.certificate).rule is DEPTH


def test_authorities_that_sign_each_other_are_no_path():
    one, other = pki.root(COMPOSITE, name="one"), pki.root(COMPOSITE, name="other")
    twins = (
        one.intermediate(name="other").certificate,
        other.intermediate(name="one").certificate,
    )
    leaf = other.issue(uris=(ID,)).certificate

    assert broken(leaf, *twins, ROOT.certificate).rule is LOOP


def test_a_root_among_others_of_its_name_is_found_by_its_key():
    """An authority that was renewed keeps its name; both roots are trusted for a while."""
    anew = [pki.root(COMPOSITE, label=f"made anew {n}").certificate for n in range(3)]
    chain_of_lower = GOOD[:-1]

    for roots in itertools.permutations([*anew, ROOT.certificate]):
        assert validate_path(chain_of_lower, Anchors(roots), Purpose.CLIENT, pki.NOW) == list(GOOD)
    with pytest.raises(RuleBroken) as refusal:
        validate_path(chain_of_lower, Anchors(anew), Purpose.CLIENT, pki.NOW)
    assert refusal.value.rule is KEY_IDENTIFIER


def test_many_roots_cost_a_chain_nothing(monkeypatch):
    """Their names are written once: a stranger's chain of four asks for a root four times."""
    others = [pki.root("ecdsa-p256", name=f"other {n}").certificate for n in range(50)]
    anchors, written = Anchors([*others, ROOT.certificate]), []
    names = vars(x509.Name)["public_bytes"]
    monkeypatch.setattr(
        x509.Name, "public_bytes", lambda *args: written.append(None) or names(*args)
    )

    validate_path(GOOD[:-1], anchors, Purpose.CLIENT, pki.NOW)

    assert 0 < len(written) <= 3 * len(GOOD)


def test_a_root_that_was_renewed_with_its_key_serves_when_the_old_one_has_expired():
    old = pki.root(COMPOSITE, not_after=pki.PAST).certificate

    for roots in itertools.permutations([old, ROOT.certificate]):
        path = validate_path(GOOD[:-1], Anchors(roots), Purpose.CLIENT, pki.NOW)
        assert path[-1] == ROOT.certificate


def test_a_path_goes_on_where_the_root_of_a_name_has_expired_but_was_cross_signed():
    newer = pki.root(COMPOSITE, name="newer")
    old = pki.root(COMPOSITE, not_after=pki.PAST).certificate
    crossed = newer.intermediate(name="root").certificate
    leaf = ROOT.issue(uris=(ID,)).certificate
    roots = (old, newer.certificate)

    path = validate_path((leaf, crossed), Anchors(roots), Purpose.CLIENT, pki.NOW)

    assert path == [leaf, crossed, newer.certificate]


@pytest.fixture
def checked(monkeypatch):
    """The links whose signatures were checked, in order."""
    links = []
    check = path_validation._verdict

    def count(place, issuer):
        links.append((place.certificate, issuer.certificate))
        return check(place, issuer)

    monkeypatch.setattr(path_validation, "_verdict", count)
    return links


def identifier_of(authority):
    return authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value


def lookalikes(count):
    """Roots with the name and the key identifier of another, and keys of their own."""
    same = ((identifier_of(ROOT.certificate), False),)
    return [pki.root(COMPOSITE, label=f"lookalike {n}", extra=same) for n in range(count)]


def test_a_good_chain_costs_a_check_for_each_link_from_the_root_down(checked):
    """No key is used before a root has vouched for it."""
    leaf, lower, upper, root = GOOD

    validate(*GOOD)

    assert checked == [(upper, root), (lower, upper), (leaf, lower)]


def test_a_stranger_who_gets_all_but_the_signature_right_costs_one_check(checked):
    (impostor,) = lookalikes(1)
    claim = x509.AuthorityKeyIdentifier(identifier_of(ROOT.certificate).digest, None, None)
    upper = impostor.intermediate(name="upper", extra=((claim, False),))
    strangers = upper.intermediate(name="lower").issue(uris=(ID,))

    assert broken(*strangers.certificates, ROOT.certificate).rule is SIGNATURE
    assert len(checked) == 1


def test_no_chain_costs_more_than_the_limit(checked):
    """A trust set in which many roots look the same makes every chain a riddle."""
    roots = [each.certificate for each in lookalikes(8)]
    with pytest.raises(RuleBroken) as refusal:
        validate_path(GOOD[:-1], Anchors(roots), Purpose.CLIENT, pki.NOW)

    assert refusal.value.rule is SIGNATURE
    assert len(checked) == MAX_SIGNATURE_CHECKS
    assert len(set(checked)) == len(checked)
