import pytest

from pqproxy.config.values import Profile
from pqproxy.identity.errors import IdentityError, Refused
from pqproxy.identity.own import Identity
from pqproxy.identity.peer import Purpose
from pqproxy.identity.profile import check_own, narrowed
from pqproxy.identity.trust import Trust
from pqproxy.telemetry.reasons import ReasonCode
from tests.support import pki

ID = "spiffe://corp/ns/apps/sa/llm"
STRONG, WEAK = pki.root("mldsa87"), pki.root("ecdsa-p384")


def own(leaf):
    return Identity.load(leaf.files("own"), pki.NOW)


def trust(*roots):
    return Trust.load(pki.trust_files(*roots))


def refusal(trusted, leaf):
    with pytest.raises(Refused) as refused:
        trusted.verify(leaf.chain_der, Purpose.CLIENT, pki.NOW)
    return refused.value


def test_without_a_profile_everything_is_as_it_was():
    check_own(own(WEAK.issue(uris=(ID,))), Profile.DEFAULT)
    trusted = trust(WEAK)

    assert narrowed(trusted, Profile.DEFAULT) is trusted


def test_cnsa2_takes_a_chain_of_mldsa87_throughout():
    leaf = STRONG.intermediate().issue(uris=(ID,))
    check_own(own(leaf), Profile.CNSA2)
    peer = narrowed(trust(WEAK, STRONG), Profile.CNSA2).verify(
        leaf.chain_der, Purpose.CLIENT, pki.NOW
    )

    assert peer.uris == (ID,)


WEAK_CHAINS = {
    "a weak leaf": (STRONG.issue(uris=(ID,), algorithm="ecdsa-p256"), "ecdsa-p256"),
    "a smaller ML-DSA": (STRONG.issue(uris=(ID,), algorithm="mldsa65"), "mldsa65"),
    "a weak intermediate": (
        STRONG.intermediate(algorithm="rsa-2048").issue(uris=(ID,), algorithm="mldsa87"),
        "rsa",
    ),
    "a weak root": (WEAK.issue(uris=(ID,), algorithm="mldsa87"), "ecdsa-p384"),
}
each_weak_chain = pytest.mark.parametrize(
    ("leaf", "kind"), WEAK_CHAINS.values(), ids=WEAK_CHAINS.keys()
)


@each_weak_chain
def test_one_weak_key_in_a_peers_chain_is_enough_to_refuse_it(leaf, kind):
    """Each of these chains verifies where no profile is set."""
    trusted = trust(WEAK, STRONG)
    assert trusted.verify(leaf.chain_der, Purpose.CLIENT, pki.NOW).uris == (ID,)
    refused = refusal(narrowed(trusted, Profile.CNSA2), leaf)

    assert refused.reason is ReasonCode.WEAK_AUTHENTICATION
    assert refused.alert == "unsupported_certificate"
    assert f"key of type {kind}" in refused.detail
    assert "--algorithm mldsa87" in refused.fix


@each_weak_chain
def test_a_chain_of_ours_with_a_weak_part_is_a_mistake(leaf, kind):
    with pytest.raises(IdentityError, match=r"identity own: .*cnsa2 demands mldsa87") as mistake:
        check_own(own(leaf), Profile.CNSA2)

    assert "certs init --algorithm mldsa87" in mistake.value.fix


def test_a_trust_set_without_a_fitting_root_is_a_mistake():
    with pytest.raises(IdentityError, match="trust mesh: holds no root") as mistake:
        narrowed(trust(WEAK), Profile.CNSA2)

    assert "certs init --algorithm mldsa87" in mistake.value.fix


def test_a_root_that_no_longer_counts_still_keeps_its_trust_domain_to_itself():
    """Else leaving a root out would give its names to the others."""
    declares = pki.root("ecdsa-p256", "speaker", uris=("spiffe://corp",))
    trusted = narrowed(trust(declares, STRONG), Profile.CNSA2)

    assert (
        "may not sign for the trust domain corp"
        in refusal(trusted, STRONG.issue(uris=(ID,))).detail
    )
