import pytest

from pqproxy.config.values import PeerAuthentication, Profile
from pqproxy.proxy.demands import Demands
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.telemetry.log import LONGEST_VALUE
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.tls import AlertDescription, Failed

CNSA2 = Demands(Profile.CNSA2, ("SecP384r1MLKEM1024",))
HYBRID = Demands(authentication=PeerAuthentication.HYBRID)
POST_QUANTUM = Demands(authentication=PeerAuthentication.POST_QUANTUM)
NOTHING_IN_COMMON = [AlertDescription.INSUFFICIENT_SECURITY, AlertDescription.HANDSHAKE_FAILURE]


def refused(alert):
    return Failed(alert, "why")


def weak(alert):
    return Failed(alert, "why", weak_authentication=True)


@pytest.mark.parametrize("alert", AlertDescription)
@pytest.mark.parametrize("side", [CLIENT, UPSTREAM], ids=["client", "server"])
def test_without_demands_the_usual_words_hold(alert, side):
    assert Demands().refusal(refused(alert), side) is None
    assert Demands().said(alert, side) is None


@pytest.mark.parametrize("alert", NOTHING_IN_COMMON)
@pytest.mark.parametrize(
    ("side", "remedy"), [(CLIENT, "an egress with"), (UPSTREAM, "an ingress with")]
)
def test_who_lacks_a_part_of_the_profile_is_told_all_of_it(alert, side, remedy):
    """X25519MLKEM768, which is recommended elsewhere, would not help."""
    reason, fix = CNSA2.refusal(refused(alert), side)

    assert reason is ReasonCode.PROFILE
    assert remedy in fix
    for part in ("SecP384r1MLKEM1024", "TLS_AES_256_GCM_SHA384", "ML-DSA-87"):
        assert part in fix
    assert "X25519MLKEM768" not in fix


def test_a_client_without_a_fitting_certificate_is_told_how_to_make_one():
    reason, fix = CNSA2.refusal(refused(AlertDescription.CERTIFICATE_REQUIRED), CLIENT)

    assert reason is ReasonCode.NO_CLIENT_CERTIFICATE
    assert "certs init --algorithm mldsa87" in fix


def test_a_server_that_finds_nothing_in_common_may_lack_the_profile():
    for alert in NOTHING_IN_COMMON:
        reason, fix = CNSA2.said(alert, UPSTREAM)
        assert (reason, "cnsa2" in fix) == (ReasonCode.PROFILE, True)
    assert CNSA2.said(AlertDescription.UNKNOWN_CA, UPSTREAM) is None
    assert CNSA2.said(AlertDescription.HANDSHAKE_FAILURE, CLIENT) is None


def test_what_is_none_of_the_profile_s_business_keeps_its_usual_words():
    assert CNSA2.refusal(refused(AlertDescription.DECODE_ERROR), CLIENT) is None


def test_a_list_of_groups_names_itself_where_the_usual_one_is_not_on_it():
    alert = AlertDescription.INSUFFICIENT_SECURITY
    reason, fix = Demands(groups=("X25519MLKEM1024", "SecP384r1MLKEM1024")).refusal(
        refused(alert), CLIENT
    )

    assert reason is ReasonCode.NO_PQ_GROUP
    assert "let the peer offer X25519MLKEM1024 or SecP384r1MLKEM1024" in fix
    assert Demands(groups=("X25519MLKEM768",)).refusal(refused(alert), CLIENT) is None


@pytest.mark.parametrize(
    ("demands", "takes", "algorithm"),
    [
        (HYBRID, "composite certificates only", "mldsa65-ecdsa-p256"),
        (POST_QUANTUM, "ML-DSA and composite certificates only", "mldsa65"),
    ],
    ids=["hybrid", "post-quantum"],
)
def test_a_client_without_a_certificate_of_the_demanded_kind_has_a_weak_one(
    demands, takes, algorithm
):
    """Whether it has none or one that does not fit it does not say: it shows none."""
    reason, fix = demands.refusal(refused(AlertDescription.CERTIFICATE_REQUIRED), CLIENT)

    assert reason is ReasonCode.WEAK_AUTHENTICATION
    assert takes in fix
    assert f"--algorithm {algorithm})" in fix


@pytest.mark.parametrize("demands", [Demands(), HYBRID], ids=["any", "hybrid"])
def test_a_client_that_verifies_none_of_our_identities_needs_another_one(demands):
    reason, fix = demands.refusal(weak(AlertDescription.HANDSHAKE_FAILURE), CLIENT)

    assert reason is ReasonCode.WEAK_AUTHENTICATION
    assert "one more identity" in fix
    assert "mldsa65-ecdsa-p256 where a sidecar demands hybrid" in fix


@pytest.mark.parametrize(
    ("side", "who"), [(CLIENT, "give the client one"), (UPSTREAM, "give the server one")]
)
def test_who_signs_with_what_was_not_asked_for_is_told_what_is(side, who):
    reason, fix = HYBRID.refusal(weak(AlertDescription.ILLEGAL_PARAMETER), side)

    assert reason is ReasonCode.WEAK_AUTHENTICATION
    assert who in fix
    assert CNSA2.refusal(weak(AlertDescription.ILLEGAL_PARAMETER), side)[0] is ReasonCode.PROFILE


@pytest.mark.parametrize("side", [CLIENT, UPSTREAM])
@pytest.mark.parametrize("demands", [HYBRID, POST_QUANTUM, CNSA2, Demands()])
def test_what_helps_fits_into_a_log_line(demands, side):
    for failed in (*map(refused, AlertDescription), *map(weak, AlertDescription)):
        for advice in (demands.refusal(failed, side), demands.said(failed.alert, side)):
            assert advice is None or len(advice[1]) <= LONGEST_VALUE


def test_a_server_that_finds_nothing_in_common_may_lack_the_certificate():
    """It says no more than that."""
    reason, fix = HYBRID.said(AlertDescription.HANDSHAKE_FAILURE, UPSTREAM)

    assert reason is ReasonCode.WEAK_AUTHENTICATION
    assert "give the server one (pqproxy certs issue --algorithm mldsa65-ecdsa-p256)" in fix
    assert "it may lack our groups" in fix
    assert HYBRID.said(AlertDescription.INSUFFICIENT_SECURITY, UPSTREAM) is None
