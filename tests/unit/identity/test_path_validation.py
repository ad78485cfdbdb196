"""Paths with composite keys: good ones, and a table of those that break a rule each."""

import itertools

import pytest

from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.identity.path_rules import RuleBroken
from pqproxy.identity.path_validation import validate_path
from pqproxy.identity.peer import Purpose
from tests.support import pki
from tests.support.chains import GOOD_CHAINS, MALFORMED_CHAINS, chain

KINDS = tuple(each.key_algorithm for each in COMPOSITES)


def validate(*certificates, purpose=Purpose.CLIENT, now=pki.NOW):
    """The last one is the root."""
    return validate_path(certificates[:-1], certificates[-1:], purpose, now)


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
    leaf, *issuers, root = good = chain()

    for order in itertools.permutations(issuers):
        assert validate(leaf, *order, root) == list(good)


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
