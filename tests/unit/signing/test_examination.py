"""What a stranger can put into a signature file, and what each check says of it."""

import inspect
import io
from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.identity.errors import IdentityError
from pqproxy.identity.trust import Trust
from pqproxy.signing import Authentication, Check, NotVerified, examination, examine, sign, verify
from pqproxy.signing.algorithms import BY_KEY
from pqproxy.signing.envelope import Envelope
from tests.support import pki

HYBRID = "mldsa65-ecdsa-p256"
NAME = "spiffe://corp/ns/models/sa/publisher"
WEIGHTS = b"weights of a model"


@cache
def leaf(kind=HYBRID, **request):
    return pki.root(kind).intermediate().issue(**{"uris": (NAME,), **request})


@cache
def trust(*kinds):
    return Trust.load(pki.trust_files(*map(pki.root, kinds or (HYBRID,))))


def signed(content=WEIGHTS, signer=None, authentication=Authentication.ANY):
    signer = signer or leaf()
    return sign(content, signer.key, signer.chain_der, authentication=authentication, at=pki.NOW)


GOOD = signed()


def examined(signature=GOOD, content=WEIGHTS, trusted=None, expect=(NAME,), **options):
    return examine(content, signature, trusted or trust(), expect, **{"at": pki.NOW, **options})


def bad(verdict):
    """What was found to be wrong: (check, what of it, what is said)."""
    assert not verdict
    return [(f.check, f.subject, f.text) for f in verdict.findings if not f.good]


def resigned(envelope, signer, **changes):
    """The statement changed, and signed again by the key of the signer: as an insider would."""
    statement = replace(envelope.statement, **changes)
    made = BY_KEY[signer.key_algorithm].sign(signer.key, statement.write())
    return replace(envelope, statement=statement, signature=made)


class Unread(io.RawIOBase):
    """Nobody reads 50 GB for a signature that is not good."""

    def read(self, size=-1):
        raise AssertionError("the content was read")


def test_a_good_signature_says_who_signed_what_and_when():
    verdict = examined()

    assert verdict
    assert verdict.signer.uris == (NAME,)
    assert verdict.statement.time == pki.NOW
    assert [(f.check, f.subject) for f in verdict.findings] == [
        (Check.FORMAT, ""),
        (Check.SIGNATURE, "ML-DSA-65"),
        (Check.SIGNATURE, "ECDSA-P256-SHA256"),
        (Check.CERTIFICATE, ""),
        (Check.AUTHENTICATION, ""),
        (Check.IDENTITY, ""),
        (Check.CONTENT, ""),
    ]


def test_verify_returns_the_verdict_or_raises_it():
    """Whoever forgets to look at what is returned is not deceived."""
    assert verify(WEIGHTS, GOOD, trust(), [NAME], at=pki.NOW).good

    with pytest.raises(NotVerified, match="not those that were signed") as failure:
        verify(WEIGHTS.upper(), GOOD, trust(), [NAME], at=pki.NOW)
    assert failure.value.verdict.findings[-1].check is Check.CONTENT


def test_the_pair_takes_the_same_options():
    assert inspect.signature(verify).parameters == inspect.signature(examine).parameters


def test_files_and_streams_are_examined_as_bytes_are(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(WEIGHTS)

    assert examined(content=path)
    assert examined(content=io.BytesIO(WEIGHTS))
    assert examined(content=memoryview(WEIGHTS))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (WEIGHTS[:-1], "there are 17 bytes, not the 18 signed"),
        (b"", "there are 0 bytes, not the 18 signed"),
        (WEIGHTS + b"!", "more bytes than the 18 signed"),
        (WEIGHTS.replace(b"w", b"v"), "the bytes are not those that were signed"),
    ],
)
def test_other_content_is_refused(content, said, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)

    for source in (content, io.BytesIO(content)):
        ((check, _, text),) = bad(examined(content=source))
        assert check is Check.CONTENT
        assert said in text
    assert bad(examined(content=path))[0][0] is Check.CONTENT


def test_a_file_of_another_size_is_not_read_at_all(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(WEIGHTS + WEIGHTS)
    monkeypatch.setattr(examination, "digest", None)

    assert "36 bytes, not the 18" in bad(examined(content=path))[0][2]


@pytest.mark.parametrize(("position", "half"), [(0, "ML-DSA-65"), (-1, "ECDSA-P256-SHA256")])
def test_the_half_that_is_bad_is_named_and_the_other_too(position, half):
    envelope = Envelope.read(GOOD)
    made = bytearray(envelope.signature)
    made[position] ^= 1
    verdict = examined(replace(envelope, signature=bytes(made)).write(), Unread())

    assert bad(verdict) == [(Check.SIGNATURE, half, f"{half} does not verify")]
    assert sum(f.good for f in verdict.findings if f.check is Check.SIGNATURE) == 1


def test_halves_of_two_signatures_do_not_mix():
    one, other = (Envelope.read(signed(content)) for content in (WEIGHTS, b"else"))
    cut = 3309
    mixed = replace(one, signature=one.signature[:cut] + other.signature[cut:])

    assert [half for _, half, _ in bad(examined(mixed.write(), Unread()))] == ["ECDSA-P256-SHA256"]


def test_one_half_alone_is_no_signature():
    envelope = Envelope.read(GOOD)
    for part in (envelope.signature[:3309], envelope.signature[3309:]):
        assert bad(examined(replace(envelope, signature=part).write(), Unread()))


@pytest.mark.parametrize(
    "changes",
    [
        {"content": bytes(64)},
        {"size": 19},
        {"time": pki.NOW - timedelta(days=1)},
    ],
    ids=["content", "size", "time"],
)
def test_every_field_of_the_statement_is_signed(changes):
    envelope = Envelope.read(GOOD)
    forged = replace(envelope, statement=replace(envelope.statement, **changes))

    halves = [half for check, half, _ in bad(examined(forged.write(), Unread()))]
    assert halves == ["ML-DSA-65", "ECDSA-P256-SHA256"]


@pytest.mark.parametrize(
    "algorithm", ["ML-DSA-65", "ECDSA-P256-SHA256", "MLDSA44-ECDSA-P256-SHA256", "none", "RSA"]
)
def test_the_key_says_which_algorithm_it_is_not_the_statement(algorithm):
    """Algorithm confusion: not even who holds the key may call a signature something else."""
    forged = resigned(Envelope.read(GOOD), leaf(), algorithm=algorithm)

    assert bad(examined(forged.write(), Unread())) == [
        (Check.SIGNATURE, "", f"its algorithm, {algorithm}, is none of a key of type {HYBRID}")
    ]


@pytest.mark.parametrize("kind", ["mldsa65", "ecdsa-p256"])
def test_half_a_composite_key_in_a_certificate_of_its_own_signs_for_nobody_else(kind):
    """Stripping: the ML-DSA half of a signature, under a certificate for that half alone."""
    envelope = Envelope.read(GOOD)
    half = leaf().key.ml_dsa if kind == "mldsa65" else leaf().key.traditional
    certificate = pki._build(pki.Request(uris=(NAME,)), half, pki.root(kind))
    lesser = pki.Leaf((certificate,), half, kind)
    statement = replace(
        envelope.statement,
        signer=Envelope.read(signed(signer=lesser)).statement.signer,
        algorithm=BY_KEY[kind].name,
    )
    parts = {"mldsa65": envelope.signature[:3309], "ecdsa-p256": envelope.signature[3309:]}
    stripped = Envelope(statement, parts[kind], lesser.chain_der)
    verdict = examined(stripped.write(), Unread(), trust(kind), authentication=Authentication.ANY)

    assert [check for check, *_ in bad(verdict)] == [Check.SIGNATURE]


def test_the_certificate_that_was_signed_with_cannot_be_exchanged():
    """One key, two certificates: whoever gets the second one signs nothing with the first's."""
    other = pki.root(HYBRID).issue(name="leaf", uris=("spiffe://corp/ns/models/sa/mallory",))
    assert other.key is leaf().key
    envelope = Envelope.read(GOOD)

    exchanged = replace(envelope, chain=other.chain_der)
    assert "not the one its statement names" in bad(examined(exchanged.write(), Unread()))[0][2]
    signer = Envelope.read(signed(signer=other)).statement.signer
    forged = replace(exchanged, statement=replace(envelope.statement, signer=signer))
    assert {check for check, *_ in bad(examined(forged.write(), Unread()))} == {
        Check.SIGNATURE,
        Check.IDENTITY,
    }


def test_who_is_not_expected_is_refused():
    ((check, _, text),) = bad(examined(expect=("spiffe://corp/ns/models/sa/other",)))

    assert check is Check.IDENTITY
    assert f"{NAME} is not among expect" in text
    assert examined(expect=("spiffe://corp/ns/models/sa/*",))
    assert bad(examined(expect=()))[0][0] is Check.IDENTITY


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"not_after": pki.PAST}, "expired"),
        ({"not_before": pki.FUTURE}, "not valid before"),
        ({"eku": (pki.SERVER_AUTH,)}, "clientAuth or codeSigning"),
        ({"uris": (NAME, "spiffe://corp/ns/models/sa/other")}, "holds 2 URIs"),
    ],
    ids=["expired", "early", "usage", "names"],
)
def test_a_certificate_that_is_not_fit_is_refused(request_, said):
    verdict = examined(signed(signer=leaf(name="unfit", **request_)), Unread())

    ((check, _, text),) = bad(verdict)
    assert check is Check.CERTIFICATE
    assert said in text
    assert verdict.signer is None


def test_certificates_are_judged_at_the_time_that_is_given():
    signature = signed(signer=leaf(name="short", not_after=pki.PAST))

    assert examined(signature, at=pki.PAST - timedelta(days=1))
    assert bad(examined(signature, Unread(), at=pki.PAST + timedelta(days=1)))


def test_the_time_in_a_statement_is_a_claim_and_judges_nothing():
    """Whoever took a key in time for nothing could date its signatures back."""
    signer = leaf(name="short", not_after=pki.PAST)
    backdated = sign(WEIGHTS, signer.key, signer.chain_der, at=pki.PAST - timedelta(days=1))

    assert bad(examined(backdated, Unread()))[0][0] is Check.CERTIFICATE


def test_now_is_when_certificates_are_judged_where_no_time_is_given():
    assert examine(WEIGHTS, GOOD, trust(), [NAME])
    signature = signed(signer=leaf(name="short", not_after=pki.PAST))
    assert not examine(Unread(), signature, trust(), [NAME])


def test_roots_that_signed_something_else_do_not_vouch():
    other = Trust.load(pki.trust_files(pki.root(HYBRID, "other")))
    assert bad(examined(trusted=other, content=Unread()))[0][0] is Check.CERTIFICATE


@pytest.mark.parametrize(
    ("kind", "weakest"),
    [
        (HYBRID, Authentication.HYBRID),
        ("mldsa87-ecdsa-p384", Authentication.HYBRID),
        ("mldsa65", Authentication.POST_QUANTUM),
        ("ecdsa-p256", Authentication.ANY),
        ("ecdsa-p384", Authentication.ANY),
    ],
)
def test_weaker_keys_are_taken_only_when_that_was_said(kind, weakest):
    signature, roots = signed(signer=leaf(kind)), trust(HYBRID, "mldsa65", kind)
    demands = list(Authentication)
    for demand in demands[: demands.index(weakest)]:
        verdict = examined(signature, Unread(), roots, authentication=demand)
        assert [check for check, *_ in bad(verdict)] == [Check.AUTHENTICATION]
        assert verdict.signer.uris == (NAME,)
    for demand in demands[demands.index(weakest) :]:
        assert examined(signature, trusted=roots, authentication=demand)


def test_without_a_hybrid_root_nothing_is_hybrid():
    signature = signed(signer=leaf("mldsa65"))
    ((check, _, text),) = bad(examined(signature, Unread(), trust("mldsa65")))

    assert check is Check.AUTHENTICATION
    assert "holds no root with a key of type" in text


def test_a_hybrid_leaf_below_another_kind_of_root_is_not_hybrid():
    """Whoever breaks the root's ECDSA makes leaves of any kind."""
    mixed = pki.root("ecdsa-p256").issue(algorithm=HYBRID, uris=(NAME,))
    roots = trust("ecdsa-p256", HYBRID)
    signature = signed(signer=mixed)

    assert bad(examined(signature, Unread(), roots))
    assert bad(examined(signature, Unread(), roots, authentication=Authentication.POST_QUANTUM))


def test_a_pattern_that_is_malformed_is_ours_to_repair():
    with pytest.raises(IdentityError, match="too wide"):
        examined(expect=("*",))


def test_a_certificate_that_does_not_parse_is_refused():
    envelope = Envelope.read(GOOD)
    garbage = b"no certificate"
    forged = replace(
        envelope,
        chain=(garbage,),
        statement=replace(envelope.statement, signer=sha256(garbage).digest()),
    )
    checks = [check for check, *_ in bad(examined(forged.write(), Unread()))]
    assert checks == [Check.SIGNATURE, Check.CERTIFICATE]


@pytest.mark.parametrize("position", range(0, len(GOOD), 131))
def test_no_changed_byte_goes_unseen(position):
    for flip in (0x01, 0x20, 0x80):
        changed = bytearray(GOOD)
        changed[position] ^= flip
        assert bad(examined(bytes(changed), Unread()))


def test_every_prefix_is_refused_but_where_a_certificate_ends():
    """And there the chain does not reach its root."""
    for length in (*range(0, len(GOOD), 61), *range(len(GOOD) - 70, len(GOOD))):
        assert bad(examined(GOOD[:length], Unread()))
    leaf_only = replace(Envelope.read(GOOD), chain=leaf().chain_der[:1]).write()
    assert GOOD.startswith(leaf_only)
    assert bad(examined(leaf_only, Unread()))[0][0] is Check.CERTIFICATE


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_any_bytes_get_a_verdict(signature, certificate):
    """A stranger can make us refuse; nothing that is written in a file can make us fail."""
    envelope = Envelope.read(GOOD)
    statement = replace(envelope.statement, signer=sha256(certificate).digest())
    forged = Envelope(statement, signature, (certificate,)).write()
    for data in (signature, GOOD[:350] + signature, forged):
        assert bad(examined(data, Unread()))


def test_a_larger_file_is_not_looked_at():
    (found,) = bad(examined(GOOD + bytes(70_000), Unread()))
    assert found[0] is Check.FORMAT


@given(
    st.sampled_from([HYBRID, "mldsa65", "ecdsa-p256"]),
    st.integers(0, 1),
    st.integers(0, 700),
    st.binary(min_size=1, max_size=4),
    st.sampled_from(Authentication),
)
def test_a_certificate_changed_anywhere_gets_a_verdict(kind, which, position, found, demand):
    """Whoever wrote the file chose every byte of the certificates, and they are parsed first."""
    envelope = Envelope.read(signed(signer=leaf(kind)))
    chain = list(envelope.chain)
    changed = chain[which][:position] + found + chain[which][position + len(found) :]
    if changed == chain[which]:
        return
    chain[which] = changed
    statement = replace(envelope.statement, signer=sha256(chain[0]).digest())
    forged = replace(envelope, statement=statement, chain=tuple(chain)).write()

    roots = trust(HYBRID, "mldsa65", "ecdsa-p256")
    assert bad(examined(forged, Unread(), roots, authentication=demand))
