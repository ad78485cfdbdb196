"""Chains with composite keys under attack: whatever a peer sends, there is an answer."""

import itertools
from contextlib import suppress
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import Store
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.crypto.spki import certificate_key, encode_public_key
from pqproxy.identity.errors import Refused
from pqproxy.identity.path_library import validate_path_by_library
from pqproxy.identity.path_rules import RuleBroken
from pqproxy.identity.path_validation import Anchors, validate_path
from pqproxy.identity.peer import Purpose
from pqproxy.identity.trust import Trust
from tests.support import pki
from tests.support.chains import COMPOSITE, ID

ROOT = pki.root(COMPOSITE)
TRUST = Trust.load(ROOT.trust_files())
LEAF = ROOT.intermediate().issue(uris=(ID,))
HEADER = 4  # bytes of a Certificate before what is signed
OID_AND_HEADERS = 21  # bytes of a SubjectPublicKeyInfo before the key, at least


def refusal(chain, purpose=Purpose.CLIENT):
    with pytest.raises(Refused) as refused:
        TRUST.verify(chain, purpose, pki.NOW)
    return refused.value


def below(authority, levels):
    for level in range(levels):
        authority = authority.intermediate(name=f"level {level}")
    return authority


@settings(max_examples=200)
@given(
    which=st.integers(0, 1),
    position=st.integers(0, len(LEAF.chain_der[0]) - 1),
    patch=st.binary(min_size=1, max_size=4),
    cut=st.booleans(),
    purpose=st.sampled_from(Purpose),
)
def test_a_certificate_with_changed_bytes_is_refused(which, position, patch, cut, purpose):
    chain = [bytearray(der) for der in LEAF.chain_der]
    position %= len(chain[which])
    chain[which][position : None if cut else position + len(patch)] = patch
    chain = tuple(map(bytes, chain))

    if chain == LEAF.chain_der:
        assert TRUST.verify(chain, purpose, pki.NOW).name == ID
    else:
        refused = refusal(chain, purpose=purpose)
        assert refused.detail.isprintable()
        assert refused.fix


@cache
def structure(der):
    """Where the bytes are that are neither key nor signature: there a parser decides."""
    certificate = x509.load_der_x509_certificate(der)
    info = encode_public_key(certificate_key(certificate))
    kept = set(range(len(der)))
    for opaque in (certificate.signature, info[OID_AND_HEADERS:]):
        start = der.index(opaque)
        kept -= set(range(start + 1, start + len(opaque)))
    return sorted(kept)


@pytest.mark.parametrize("which", [0, 1], ids=["leaf", "intermediate"])
def test_no_byte_of_the_structure_of_a_certificate_may_change(which):
    """Every one, since here they are few."""
    original = LEAF.chain_der[which]
    for position, bits in itertools.product(structure(original), (0x01, 0xFF)):
        chain = list(LEAF.chain_der)
        changed = bytearray(original)
        changed[position] ^= bits
        chain[which] = bytes(changed)

        refusal(chain)


@pytest.mark.parametrize("which", [0, 1], ids=["leaf", "intermediate"])
def test_every_prefix_of_a_certificate_is_refused(which):
    original = LEAF.chain_der[which]
    for length in range(len(original)):
        chain = list(LEAF.chain_der)
        chain[which] = original[:length]

        refusal(chain)


PATCHES = st.lists(
    st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=3)), min_size=1, max_size=2
)


def odd_certificate(victim, signer, patches):
    """What an authority signs when somebody else fills in the form; None: no certificate at all."""
    message = bytearray(victim.tbs_certificate_bytes)
    places = [each - HEADER for each in structure(victim.public_bytes(Encoding.DER))]
    places = [each for each in places if 0 <= each < len(message)]
    for place, patch in patches:
        position = places[place % len(places)]
        message[position : position + len(patch)] = patch
    identifier = pki.der_of(victim.signature_algorithm_oid)
    with suppress(ValueError, x509.InvalidVersion):
        signature = pki.signature_of(bytes(message), signer)
        return pki.outside(bytes(message), identifier, signature)
    return None


@cache
def good(kind):
    """A chain, a trust set, and the same narrowed to that kind."""
    root = pki.root(kind)
    trusted = Trust.load(root.trust_files())
    chain = root.intermediate().issue(uris=(ID,)).certificates
    return chain, trusted, trusted.only(frozenset({kind}))


@pytest.mark.parametrize("kind", [COMPOSITE, "ecdsa-p256"])
@settings(max_examples=150)
@given(
    position=st.integers(0, 1),
    patches=PATCHES,
    narrow=st.booleans(),
)
def test_whatever_an_authority_signs_is_accepted_or_refused(kind, position, patches, narrow):
    """A bad intermediate, or one that was talked into it: its signature is sound.

    With classical keys the library verifies, and what is said of it is the same.
    """
    certificates, full, narrowed = good(kind)
    certificates = list(certificates)
    signer = pki.key(kind, ("intermediate", "root")[position])
    certificates[position] = odd_certificate(certificates[position], signer, patches)
    trusted = narrowed if narrow else full

    if certificates[position] is not None:
        chain = [each.public_bytes(Encoding.DER) for each in certificates]
        with suppress(Refused):
            trusted.verify(chain, Purpose.CLIENT, pki.NOW)


@settings(max_examples=200)
@given(position=st.integers(0, 1), patches=PATCHES)
def test_what_our_rules_accept_of_it_the_library_accepts(position, patches):
    """Where keys are classical, both may judge; ours are the stricter ones, or as strict."""
    kind = "ecdsa-p256"
    certificates, _trusted, _narrowed = good(kind)
    certificates, root = list(certificates), pki.root(kind).certificate
    signer = pki.key(kind, ("intermediate", "root")[position])
    certificates[position] = odd_certificate(certificates[position], signer, patches)
    if certificates[position] is None:
        return
    with suppress(RuleBroken):
        path = validate_path(certificates, Anchors([root]), Purpose.CLIENT, pki.NOW)

        store = Store([root])
        assert path == validate_path_by_library(certificates, store, Purpose.CLIENT, pki.NOW)


@given(st.permutations(below(ROOT, 3).issue(uris=(ID,)).chain_der[1:]))
def test_issuers_come_in_any_order(issuers):
    leaf = below(ROOT, 3).issue(uris=(ID,)).chain_der[0]

    assert TRUST.verify((leaf, *issuers), Purpose.CLIENT, pki.NOW).name == ID
