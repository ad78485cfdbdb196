from pqproxy.identity.errors import ACCESS_DENIED, IdentityError, Refused
from pqproxy.telemetry.reasons import ReasonCode


def test_a_refusal_reads_as_its_detail_and_carries_what_peer_and_operator_get():
    refused = Refused(ReasonCode.NOT_ALLOWED, ACCESS_DENIED, "a is not among allow", "add a")

    assert str(refused) == refused.detail == "a is not among allow"
    assert (refused.reason, refused.alert, refused.fix) == ("not_allowed", "access_denied", "add a")


def test_an_identity_error_may_have_no_fix():
    assert IdentityError("broken").fix == ""
