from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.config.values import ConnectionLimits
from pqproxy.identity.errors import Refused
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import Purpose
from pqproxy.identity.profile import COMPOSITE_KEYS
from pqproxy.identity.trust import Trust
from pqproxy.proxy.admission import Admission
from pqproxy.proxy.peer_judge import PeerJudge
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry.reasons import ReasonCode
from tests.support import pki

from .sidecars import CLIENT, MESH, ROOT, STRANGER

APPS = IdentityPatterns.parse(("spiffe://corp/ns/apps/sa/*",))


@pytest.fixture
def visit():
    place = Admission(ConnectionLimits()).ask("10.0.0.1")
    return Visit("llm", "10.0.0.1:7", place, 0.0)


def judge(trust=MESH, names=APPS, purpose=Purpose.CLIENT, keys=None):
    return PeerJudge(purpose, trust, names, lambda: pki.NOW, keys)


def shown(leaf, key_algorithm="ecdsa-p256"):
    return tls.ChainReceived(1, leaf.chain_der, key_algorithm)


def test_a_peer_that_may_come_in_is_known_from_then_on(visit):
    verdict = judge().judge(shown(CLIENT), visit)

    assert verdict.alert is None
    assert visit.identity.name == "spiffe://corp/ns/apps/sa/app"
    assert visit.refusal is None


def test_one_that_may_not_is_known_too_and_so_is_the_reason(visit):
    verdict = judge().judge(shown(STRANGER), visit)

    assert verdict.alert is tls.AlertDescription.ACCESS_DENIED
    assert visit.identity.name == "spiffe://corp/ns/other/sa/app"
    assert visit.refusal.reason is ReasonCode.NOT_ALLOWED


def test_without_a_list_whoever_is_trusted_may_come_in(visit):
    assert judge(names=None).judge(shown(STRANGER), visit).alert is None


def test_without_trust_nobody_is_believed(visit):
    verdict = judge(trust=None).judge(shown(CLIENT), visit)

    assert verdict.alert is tls.AlertDescription.UNKNOWN_CA
    assert visit.identity is None


@pytest.mark.parametrize(
    ("leaf", "names", "permitted"),
    [(CLIENT, APPS, True), (STRANGER, APPS, False), (STRANGER, None, True)],
)
def test_who_comes_with_a_ticket_is_held_against_the_list_again(visit, leaf, names, permitted):
    verdict = judge(names=None).judge(shown(leaf), visit)
    proof = verdict.authentication(leaf.chain_der, pki.NOW.timestamp())

    assert judge(names=names).permits(proof) is permitted


def test_a_ticket_of_nobody_is_judged_by_no_list():
    """Whoever showed no certificate was let in without one."""
    proof = tls.Verdict.accept().authentication((), 0.0)

    assert judge().permits(proof)


def test_what_proved_it_is_looked_at_again_whatever_was_offered(visit):
    """Nothing else was asked for; a bug there must not let a weaker proof pass here."""
    verdict = judge(keys=COMPOSITE_KEYS).judge(shown(CLIENT), visit)

    assert verdict.alert is tls.AlertDescription.UNSUPPORTED_CERTIFICATE
    assert visit.refusal.reason is ReasonCode.WEAK_AUTHENTICATION
    assert "a key of type ecdsa-p256" in visit.refusal.detail
    assert visit.identity is None


@pytest.mark.parametrize(
    ("proved_by", "permitted"), [("mldsa65-ecdsa-p256", True), ("ecdsa-p256", False), ("", False)]
)
def test_a_ticket_of_a_weaker_proof_opens_nothing(visit, proved_by, permitted):
    """The binding of a ticket holds it back already; what it remembers does so once more."""
    verdict = judge().judge(shown(CLIENT), visit)
    proof = verdict.authentication(CLIENT.chain_der, pki.NOW.timestamp(), proved_by)

    assert judge(keys=COMPOSITE_KEYS).permits(proof) is permitted
    assert judge().permits(proof)


def test_who_comes_with_a_ticket_is_held_against_denied_names_again(visit):
    """Whoever makes another digest of it forgets this: a judge does not rely on it."""
    verdict = judge().judge(shown(CLIENT), visit)
    proof = verdict.authentication(CLIENT.chain_der, pki.NOW.timestamp())
    denying = Trust.load(replace(ROOT.trust_files(), deny=("spiffe://corp/ns/apps/sa/app",)))

    assert not judge(trust=denying).permits(proof)
    assert not judge(trust=denying, names=None).permits(proof)


def test_what_is_said_later_counts_too(visit):
    verdict = judge().judge(shown(CLIENT), visit)
    proof = verdict.authentication(CLIENT.chain_der, pki.NOW.timestamp())
    later = judge()
    files = replace(ROOT.trust_files(), deny=("spiffe://corp/ns/apps/sa/app",))
    later.follow({"mesh": Trust.load(files).revocations})

    assert later.judge(shown(CLIENT), visit).alert is tls.AlertDescription.ACCESS_DENIED
    assert not later.permits(proof)
    with pytest.raises(Refused, match="is denied by"):
        later.recheck(visit.identity)


def test_what_other_trust_sets_say_is_added_and_what_its_own_said_is_let_go_of(visit):
    """Else a connection of months would hold every list that there ever was."""
    denied = ("spiffe://corp/ns/apps/sa/app",)
    denying = Trust.load(replace(ROOT.trust_files(), deny=denied)).revocations
    verdict = judge().judge(shown(CLIENT), visit)
    assert verdict.alert is None
    plain, own = MESH.revocations, judge(trust=replace(MESH, revocations=denying))

    with pytest.raises(Refused):
        own.recheck(visit.identity)
    own.follow({"mesh": plain})
    own.recheck(visit.identity)
    assert own.trust.revocations is plain
    own.follow({"mesh": plain, "other": denying})
    with pytest.raises(Refused):
        own.recheck(visit.identity)
    own.follow({"other": plain})
    own.recheck(visit.identity)


def test_one_that_is_revoked_is_known_too(visit):
    """Whoever looks for what became of an identity finds it under its name."""
    denied = ("spiffe://corp/ns/apps/sa/app",)
    denying = Trust.load(replace(ROOT.trust_files(), deny=denied))

    verdict = judge(trust=denying).judge(shown(CLIENT), visit)

    assert verdict.alert is tls.AlertDescription.ACCESS_DENIED
    assert visit.identity.name == "spiffe://corp/ns/apps/sa/app"
    assert visit.refusal.reason is ReasonCode.REVOKED
