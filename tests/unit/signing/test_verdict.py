from dataclasses import replace

import pytest

from pqproxy.signing.verdict import Check, Finding, NotVerified, Verdict

GOOD = Verdict(tuple(Finding(check, True, f"{check} is good") for check in Check))


def test_a_verdict_is_true_where_every_check_was_made_and_is_good():
    assert GOOD
    assert GOOD.good
    assert GOOD.problem == ""


@pytest.mark.parametrize("check", Check)
def test_a_check_that_was_not_made_is_no_good_one(check):
    """Nothing was found against the content, say, because nobody looked at it."""
    without = tuple(finding for finding in GOOD.findings if finding.check is not check)
    assert not replace(GOOD, findings=without)
    assert not Verdict(())


def test_one_half_that_fails_makes_a_verdict_negative():
    failing = Finding(Check.SIGNATURE, False, "ML-DSA-65 does not verify", subject="ML-DSA-65")
    verdict = replace(GOOD, findings=(*GOOD.findings, failing))

    assert not verdict
    assert str(NotVerified(verdict)) == verdict.problem == "ML-DSA-65 does not verify"
    assert NotVerified(verdict).verdict is verdict
