import pytest

from pqproxy.config.groups import (
    CLASSICAL,
    KNOWN,
    POST_QUANTUM,
    PRIVATE,
    default_groups,
    effective_groups,
)
from pqproxy.config.values import Policy, Profile


def test_require_means_post_quantum_groups_only():
    assert default_groups(Policy.REQUIRE) == POST_QUANTUM


def test_prefer_puts_classical_groups_last():
    assert default_groups(Policy.PREFER) == POST_QUANTUM + CLASSICAL


@pytest.mark.parametrize("policy", Policy)
def test_cnsa2_is_one_group_whatever_the_policy_says(policy):
    assert effective_groups(Profile.CNSA2, policy) == ("SecP384r1MLKEM1024",)


@pytest.mark.parametrize("policy", Policy)
def test_a_private_group_is_used_by_name_only(policy):
    assert not set(PRIVATE) & set(default_groups(policy))
    assert set(PRIVATE) <= set(KNOWN)


@pytest.mark.parametrize("policy", Policy)
def test_a_list_of_ones_own_is_taken_as_it_is(policy):
    assert effective_groups(["SecP384r1MLKEM1024"], policy) == ("SecP384r1MLKEM1024",)
