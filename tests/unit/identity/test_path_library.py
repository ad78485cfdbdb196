"""The library's verifier, and that the rules of ours agree with it wherever both may judge."""

import pytest
from cryptography import x509
from cryptography.x509.verification import Store, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.identity.names import MALFORMED
from pqproxy.identity.path_library import validate_path_by_library
from pqproxy.identity.path_rules import RuleBroken
from pqproxy.identity.path_validation import Anchors, validate_path
from pqproxy.identity.peer import Purpose
from tests.support import pki
from tests.support.chains import GOOD_CHAINS, MALFORMED_CHAINS, chain

KIND = "ecdsa-p256"


# Rules by which ours refuse what the library takes. Nothing may be the other way round.
STRICTER = {
    "parses": "the library does not read all that it does not need",
    "serial-number": "the library takes zero, and roots with any number",
    "key-usage": "the library leaves digitalSignature to the engine",
    "subject-alternative-name": "the library takes an empty one",
    "name-constraints": "the library knows those on DNS names",
    "authority-key-identifier": "the library demands one of leaves only",
    "subject-key-identifier": "the library demands none",
    "key-identifier": "the library follows names, and tries the keys",
}
ABOUT_COMPOSITE_KEYS = "signing-only"


def by_library(certificates):
    store = Store([certificates[-1]])
    try:
        return validate_path_by_library(certificates[:-1], store, Purpose.CLIENT, pki.NOW)
    except (VerificationError, *MALFORMED):
        return None


def by_rules(certificates):
    try:
        return validate_path(certificates[:-1], Anchors(certificates[-1:]), Purpose.CLIENT, pki.NOW)
    except RuleBroken:
        return None


@pytest.mark.parametrize("recipes", GOOD_CHAINS, ids=range(len(GOOD_CHAINS)))
def test_a_good_chain_is_the_same_path_for_both(recipes):
    certificates = chain(kind=KIND, **recipes)

    assert by_library(certificates) == by_rules(certificates) == list(certificates)


@pytest.mark.parametrize("kind", pki.ALGORITHMS)
def test_a_good_chain_of_every_kind_is_the_same_path_for_both(kind):
    certificates = chain(kind=kind)
    stranger = (*certificates[:-1], pki.root(kind, label="made anew").certificate)

    assert by_library(certificates) == by_rules(certificates) == list(certificates)
    assert by_library(stranger) is by_rules(stranger) is None


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize(
    ("place", "recipe", "rule"),
    MALFORMED_CHAINS,
    ids=[f"{n} {place} {rule}" for n, (place, _, rule) in enumerate(MALFORMED_CHAINS)],
)
def test_both_refuse_a_malformed_chain_or_ours_are_the_stricter_ones(place, recipe, rule):
    certificates = chain(kind=KIND, **{place: recipe})
    library, ours = by_library(certificates), by_rules(certificates)

    if rule == ABOUT_COMPOSITE_KEYS:
        assert library == ours == list(certificates)
    else:
        assert ours is None
        assert library is None or rule in STRICTER


def test_each_rule_that_is_said_to_be_stricter_is():
    accepted = {
        rule
        for place, recipe, rule in MALFORMED_CHAINS
        if rule in STRICTER and by_library(chain(kind=KIND, **{place: recipe}))
    }

    assert accepted == set(STRICTER)


RECIPES = [
    *((place, recipe) for place, recipe, _ in MALFORMED_CHAINS),
    *(item for recipes in GOOD_CHAINS for item in recipes.items()),
]


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=200)
@given(
    changes=st.lists(st.sampled_from(RECIPES), max_size=3),
    missing=st.sets(st.integers(1, 2), max_size=1),
)
def test_what_our_rules_accept_the_library_accepts(changes, missing):
    """With several things odd at once, where rules might hide each other."""
    certificates = chain(kind=KIND, **dict(changes))
    certificates = [c for n, c in enumerate(certificates) if n not in missing]
    path = by_rules(certificates)

    assert path is None or by_library(certificates) == path


def test_a_root_may_constrain_dns_names_for_the_library():
    """The one thing that classical chains may do and composite ones may not."""
    constraint = x509.NameConstraints([x509.DNSName("corp.test")], None)
    root = pki.root(name="constrained", extra=((constraint, True),))

    assert by_library([*root.issue(dns=("a.corp.test",)).certificates, root.certificate])
    assert not by_library([*root.issue(dns=("a.other.test",)).certificates, root.certificate])
