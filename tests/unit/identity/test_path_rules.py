from pqproxy.identity.path_rules import RULES, SIGNATURE, RuleBroken, names_key_of
from tests.support import pki

ROOT = pki.root("mldsa65-ecdsa-p256")
LEAF = ROOT.issue(dns=("a.test",)).certificate


def test_every_rule_has_a_name_of_its_own_and_says_where_it_is_written():
    """In ASCII: a log escapes what else a certificate may bring."""
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert f"({rule.document} section {rule.section})" in str(rule)
        assert str(rule).isascii()


def test_signatures_come_last():
    """All else is cheap, and a stranger's chain gets no dear check that it does not need."""
    assert RULES[-1] is SIGNATURE


def test_a_broken_rule_says_what_and_where_it_is_written_and_why():
    broken = RuleBroken(SIGNATURE, LEAF, "one half")

    assert (
        str(broken)
        == "has a signature that does not verify (RFC 5280 section 6.1.3 (a)(1)): one half"
    )
    assert broken.certificate is LEAF


def test_a_certificate_names_the_key_of_its_issuer_by_the_identifier_alone():
    anew = pki.root("mldsa65-ecdsa-p256", label="made anew")

    assert names_key_of(LEAF, ROOT.certificate)
    assert not names_key_of(LEAF, anew.certificate)
    assert not names_key_of(ROOT.issue(aki=False).certificate, ROOT.certificate)
