"""A judgement that is remembered must never let anyone in whom a fresh one would refuse."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.peer_certificates import KEPT
from pqproxy.identity import trust as trust_module
from pqproxy.identity.errors import Refused
from pqproxy.identity.peer import Purpose
from pqproxy.identity.trust import Trust
from tests.support import pki

ID = "spiffe://corp/ns/apps/sa/llm"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
COMPOSITE = COMPOSITES[0].key_algorithm


def chain_of(authority=None, **request):
    return (authority or pki.root()).issue(uris=(ID,), **request).chain_der


@pytest.fixture
def validations(monkeypatch):
    """How often a path is validated, whichever way."""
    done = []
    for name in ("validate_path", "validate_path_by_library"):
        real = getattr(trust_module, name)

        def counted(*arguments, real=real):
            done.append(real)
            return real(*arguments)

        monkeypatch.setattr(trust_module, name, counted)
    return done


def trusting(*roots):
    return Trust.load(pki.trust_files(*(roots or (pki.root(),))))


def outcome(trusted, chain, now, purpose=Purpose.CLIENT):
    try:
        return trusted.verify(chain, purpose, now)
    except Refused as refusal:
        return refusal.reason, refusal.detail


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", COMPOSITE])
def test_the_same_bytes_are_judged_once(validations, algorithm):
    """A path costs its signatures: of ECDSA as much as CertificateVerify, of others far more."""
    root = pki.root(algorithm)
    trusted, chain = trusting(root), chain_of(root.intermediate())

    first = trusted.verify(chain, Purpose.CLIENT, pki.NOW)
    again = trusted.verify([bytes(bytearray(der)) for der in chain], Purpose.CLIENT, pki.NOW)

    assert first == again
    assert len(validations) == 1


@pytest.mark.parametrize("other", ["one more", "one less", "other order", "another leaf"])
def test_other_bytes_are_judged_by_themselves(validations, other):
    authority = pki.root().intermediate().intermediate(name="below")
    trusted, chain = trusting(), chain_of(authority)
    trusted.verify(chain, Purpose.CLIENT, pki.NOW)
    shown = {
        "one more": (*chain, chain_of(label="beside")[0]),
        "one less": chain[:-1],
        "other order": (chain[0], *reversed(chain[1:])),
        "another leaf": chain_of(authority, label="beside"),
    }[other]

    assert outcome(trusted, shown, pki.NOW) == outcome(trusting(), shown, pki.NOW)
    assert len(validations) == 3


def test_a_changed_bit_is_not_let_in_by_the_memory_of_the_right_one():
    trusted, chain = trusting(), chain_of()
    trusted.verify(chain, Purpose.CLIENT, pki.NOW)
    forged = chain[0][:-1] + bytes([chain[0][-1] ^ 1])

    with pytest.raises(Refused):
        trusted.verify((forged,), Purpose.CLIENT, pki.NOW)


def test_a_client_does_not_become_a_server_by_having_been_a_client():
    trusted, chain = trusting(), chain_of(eku=(pki.CLIENT_AUTH,))
    trusted.verify(chain, Purpose.CLIENT, pki.NOW)

    with pytest.raises(Refused):
        trusted.verify(chain, Purpose.SERVER, pki.NOW)


def test_who_is_denied_later_is_refused_at_once():
    """Revocation is no part of what is remembered: lists may change under open connections."""
    trusted, chain = trusting(), chain_of()
    trusted.verify(chain, Purpose.CLIENT, pki.NOW)
    files = replace(pki.trust_files(pki.root()), deny=(ID,))
    object.__setattr__(trusted, "revocations", Trust.load(files).revocations)

    with pytest.raises(Refused, match="denied"):
        trusted.verify(chain, Purpose.CLIENT, pki.NOW)


def test_a_set_that_is_made_of_another_remembers_nothing_of_it(validations):
    trusted, chain = trusting(pki.root(), pki.root(COMPOSITE)), chain_of()
    trusted.verify(chain, Purpose.CLIENT, pki.NOW)
    narrowed = trusted.only(frozenset({COMPOSITE}))
    same = replace(trusted, revocations=trusted.revocations)

    with pytest.raises(Refused):
        narrowed.verify(chain, Purpose.CLIENT, pki.NOW)
    same.verify(chain, Purpose.CLIENT, pki.NOW)
    assert len(validations) == 2


def test_a_refusal_is_never_remembered(validations):
    """Its reason may be over in a moment, such as a clock that was wrong."""
    trusted, chain = trusting(), chain_of(not_before=pki.NOW)

    for moment in (pki.NOW - DAY, pki.NOW - DAY, pki.NOW + DAY):
        outcome(trusted, chain, moment)

    assert len(validations) == 3
    assert trusted.verify(chain, Purpose.CLIENT, pki.NOW + DAY).uris == (ID,)


@pytest.mark.parametrize("ends", ["leaf", "intermediate", "root"])
def test_who_was_good_is_refused_when_a_certificate_of_the_path_ended(ends):
    end = pki.NOW + DAY
    root = pki.root(not_after=end if ends == "root" else pki.NOT_AFTER)
    above = root.intermediate(not_after=end if ends == "intermediate" else pki.NOT_AFTER)
    chain = chain_of(above, not_after=end if ends == "leaf" else pki.NOT_AFTER)
    trusted = trusting(root)
    trusted.verify(chain, Purpose.CLIENT, pki.NOW)
    trusted.verify(chain, Purpose.CLIENT, end - SECOND)

    with pytest.raises(Refused):
        trusted.verify(chain, Purpose.CLIENT, end + SECOND)


def test_a_clock_that_is_set_back_does_not_let_in_who_is_not_yet_valid():
    trusted, chain = trusting(), chain_of(not_before=pki.NOW)
    trusted.verify(chain, Purpose.CLIENT, pki.NOW + DAY)

    with pytest.raises(Refused):
        trusted.verify(chain, Purpose.CLIENT, pki.NOW - SECOND)


def test_the_second_in_which_a_certificate_ends_is_not_taken_for_what_follows():
    """Who compares times by whole seconds lets it live until that second is over."""
    end = pki.NOW + DAY
    trusted, chain = trusting(), chain_of(not_after=end)
    outcome(trusted, chain, end + 0.5 * SECOND)

    with pytest.raises(Refused):
        trusted.verify(chain, Purpose.CLIENT, end + SECOND)


@pytest.mark.parametrize("later_first", [True, False])
def test_a_root_that_begins_meanwhile_may_speak_otherwise(later_first):
    """It took no part when the chain was judged, and would be the one that is asked today."""
    vouching = pki.root(uris=("spiffe://corp",))
    silent = pki.root(not_before=pki.NOW + DAY)
    roots = (silent, vouching) if later_first else (vouching, silent)
    trusted, chain = trusting(*roots), chain_of(vouching)

    for now in (pki.NOW, pki.NOW + 2 * DAY):
        assert outcome(trusted, chain, now) == outcome(trusting(*roots), chain, now)


def year_zero(certificate):
    """Its DER, with an end that is no date. The signature does not fit any more."""
    return certificate.replace(b"20600101000000Z", b"00000101000000Z")


def test_a_date_that_is_none_beside_a_good_path_changes_nothing():
    """A certificate that no path needs is not looked at; here it was, for when it ends."""
    root = pki.root()
    trust = Trust.load(pki.trust_files(root))
    good = root.issue(uris=("spiffe://corp/ns/apps/sa/llm",)).chain_der
    other = root.intermediate(name="other", not_after=datetime(2060, 1, 1, tzinfo=UTC))
    beside = year_zero(other.issue(uris=("spiffe://corp/x",)).chain_der[1])

    for _ in range(2):
        identity = trust.verify((*good, beside), Purpose.CLIENT, pki.NOW)
        assert identity.name == "spiffe://corp/ns/apps/sa/llm"


def test_no_more_are_remembered_than_certificates(validations):
    trusted = trusting()
    chains = [chain_of(name=f"peer {number}") for number in range(KEPT + 1)]
    for chain in chains:
        trusted.verify(chain, Purpose.CLIENT, pki.NOW)

    assert len(trusted._judgements._kept) <= KEPT
    trusted.verify(chains[-1], Purpose.CLIENT, pki.NOW)
    assert len(validations) == KEPT + 1


ROOTS = {
    algorithm: (
        pki.root(algorithm, not_after=pki.NOW + 3 * DAY),
        pki.root(algorithm, not_before=pki.NOW + DAY, not_after=pki.NOW + 5 * DAY),
    )
    for algorithm in ("ecdsa-p256", COMPOSITE)
}
CHAINS = {
    algorithm: tuple(
        chain_of(roots[0].intermediate(not_after=pki.NOW + 4 * DAY), **request)
        for request in (
            {},
            {"not_before": pki.NOW, "not_after": pki.NOW + 2 * DAY},
            {"not_before": pki.NOW + DAY, "eku": (pki.CLIENT_AUTH,)},
        )
    )
    for algorithm, roots in ROOTS.items()
}
MOMENTS = st.builds(
    lambda days, fraction: pki.NOW + days * DAY + timedelta(seconds=fraction),
    st.integers(-1, 6),
    st.sampled_from((-1, -0.001, 0, 0.001, 0.999, 1, 3600)),
)


@settings(max_examples=40, deadline=None)
@given(
    algorithm=st.sampled_from(tuple(CHAINS)),
    shown=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from((Purpose.CLIENT, Purpose.SERVER)), MOMENTS),
        min_size=2,
        max_size=8,
    ),
)
def test_with_and_without_memory_the_same_is_said_at_any_time(algorithm, shown):
    """Two roots of one name and key overlap, so that the path changes, too, as time goes on."""
    files = pki.trust_files(*ROOTS[algorithm])
    remembering = Trust.load(files)
    for number, purpose, now in shown:
        chain = CHAINS[algorithm][number]
        fresh = outcome(Trust.load(files), chain, now, purpose)

        assert outcome(remembering, chain, now, purpose) == fresh
