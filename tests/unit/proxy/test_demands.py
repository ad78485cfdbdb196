import pytest

from pqproxy.config.values import Profile
from pqproxy.proxy.demands import Demands
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.tls import AlertDescription

CNSA2 = Demands(Profile.CNSA2, ("SecP384r1MLKEM1024",))
NOTHING_IN_COMMON = [AlertDescription.INSUFFICIENT_SECURITY, AlertDescription.HANDSHAKE_FAILURE]


@pytest.mark.parametrize("alert", AlertDescription)
@pytest.mark.parametrize("side", [CLIENT, UPSTREAM], ids=["client", "server"])
def test_without_demands_the_usual_words_hold(alert, side):
    assert Demands().refusal(alert, side) is None
    assert Demands().fix_for_alert(alert, side) is None


@pytest.mark.parametrize("alert", NOTHING_IN_COMMON)
@pytest.mark.parametrize(
    ("side", "remedy"), [(CLIENT, "an egress with"), (UPSTREAM, "an ingress with")]
)
def test_who_lacks_a_part_of_the_profile_is_told_all_of_it(alert, side, remedy):
    """X25519MLKEM768, which is recommended elsewhere, would not help."""
    reason, fix = CNSA2.refusal(alert, side)

    assert reason is ReasonCode.PROFILE
    assert remedy in fix
    for part in ("SecP384r1MLKEM1024", "TLS_AES_256_GCM_SHA384", "ML-DSA-87"):
        assert part in fix
    assert "X25519MLKEM768" not in fix


def test_a_client_without_a_fitting_certificate_is_told_how_to_make_one():
    reason, fix = CNSA2.refusal(AlertDescription.CERTIFICATE_REQUIRED, CLIENT)

    assert reason is ReasonCode.NO_CLIENT_CERTIFICATE
    assert "certs init --algorithm mldsa87" in fix


def test_a_server_that_finds_nothing_in_common_may_lack_the_profile():
    for alert in NOTHING_IN_COMMON:
        assert "cnsa2" in CNSA2.fix_for_alert(alert, UPSTREAM)
    assert CNSA2.fix_for_alert(AlertDescription.UNKNOWN_CA, UPSTREAM) is None
    assert CNSA2.fix_for_alert(AlertDescription.HANDSHAKE_FAILURE, CLIENT) is None


def test_what_is_none_of_the_profile_s_business_keeps_its_usual_words():
    assert CNSA2.refusal(AlertDescription.DECODE_ERROR, CLIENT) is None


def test_a_list_of_groups_names_itself_where_the_usual_one_is_not_on_it():
    alert = AlertDescription.INSUFFICIENT_SECURITY
    reason, fix = Demands(groups=("X25519MLKEM1024", "SecP384r1MLKEM1024")).refusal(alert, CLIENT)

    assert reason is ReasonCode.NO_PQ_GROUP
    assert "let the peer offer X25519MLKEM1024 or SecP384r1MLKEM1024" in fix
    assert Demands(groups=("X25519MLKEM768",)).refusal(alert, CLIENT) is None
