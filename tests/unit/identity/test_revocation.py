import time
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.config.values import SERIAL_BYTES, RevocationFile, RevokedSerials
from pqproxy.identity.errors import Refused
from pqproxy.identity.peer import CertificateId, Purpose
from pqproxy.identity.revocation import Revocations
from pqproxy.identity.trust import Trust
from pqproxy.telemetry.reasons import ReasonCode
from tests.support import pki

ID = "spiffe://corp/ns/old/sa/batch"
ROOT = pki.root()
MIDDLE = ROOT.intermediate()
LEAF = MIDDLE.issue(name="batch", uris=(ID,))
OTHER = MIDDLE.issue(name="llm", uris=("spiffe://corp/ns/apps/sa/llm",), dns=("llm.old.test",))


def trust(*lists, deny=(), root=ROOT, beside=()):
    blocks = [one.public_bytes(Encoding.PEM) for one in (*lists, *beside)]
    files = tuple(RevocationFile(f"{at}.crl", block) for at, block in enumerate(blocks))
    return Trust.load(replace(root.trust_files(), crl=files, deny=tuple(deny)))


def refusal(trusted, leaf=LEAF, purpose=Purpose.CLIENT):
    with pytest.raises(Refused) as refused:
        trusted.verify(leaf.chain_der, purpose, pki.NOW)
    assert refused.value.reason is ReasonCode.REVOKED
    return refused.value


@pytest.mark.parametrize("purpose", Purpose)
def test_a_listed_certificate_is_refused_and_its_siblings_are_not(purpose):
    trusted = trust(MIDDLE.revoke(LEAF), beside=[MIDDLE.certificate])

    refused = refusal(trusted, purpose=purpose)

    serial = LEAF.certificate.serial_number
    assert refused.alert == "certificate_revoked"
    assert refused.detail == (
        f"the certificate of {ID} is revoked: CN=intermediate revoked it (serial {serial:x})"
    )
    assert refused.fix == f"issue a new certificate, if this {purpose} is still meant"
    assert trusted.verify(OTHER.chain_der, purpose, pki.NOW).name == OTHER_ID


OTHER_ID = "spiffe://corp/ns/apps/sa/llm"


def test_everybody_below_a_listed_authority_is_refused():
    trusted = trust(ROOT.revoke(MIDDLE))

    for leaf in (LEAF, OTHER):
        refused = refusal(trusted, leaf)

        assert refused.detail.startswith("an authority in the chain of spiffe://corp/ns/")
        assert "CN=root revoked it" in refused.detail
        assert "from an authority that is in force" in refused.fix


def test_a_serial_number_of_another_authority_is_another_certificate():
    trusted = trust(ROOT.revoke(LEAF))

    assert trusted.verify(LEAF.chain_der, Purpose.CLIENT, pki.NOW).name == ID


@pytest.mark.parametrize("algorithm", ["mldsa65-ecdsa-p256", "mldsa87", "rsa-2048"])
def test_chains_of_every_kind_are_revoked(algorithm):
    root = pki.root(algorithm)
    middle = root.intermediate()
    leaf, other = (middle.issue(name=name, uris=(f"spiffe://corp/{name}",)) for name in "ab")
    trusted = trust(middle.revoke(leaf), root=root, beside=[middle.certificate])

    assert "CN=intermediate revoked it" in refusal(trusted, leaf).detail
    assert trusted.verify(other.chain_der, Purpose.CLIENT, pki.NOW).name == "spiffe://corp/b"


@pytest.mark.parametrize("denied", [ID, "spiffe://corp/ns/old/sa/*", "spiffe://corp/ns/*/sa/batch"])
def test_a_denied_identity_is_refused_by_the_entry_that_says_so(denied):
    trusted = trust(deny=["*.elsewhere.test", denied])

    refused = refusal(trusted)

    assert refused.alert == "access_denied"
    assert refused.detail == f"{ID} is denied by {denied} in deny"
    assert denied in refused.fix
    assert trusted.verify(OTHER.chain_der, Purpose.CLIENT, pki.NOW).name == OTHER_ID


def test_one_denied_name_of_several_is_enough():
    assert refusal(trust(deny=["*.old.test"]), OTHER).detail == (
        f"{OTHER_ID} is denied by *.old.test in deny"
    )


@pytest.mark.parametrize("root", [ROOT, pki.root("mldsa65-ecdsa-p256")])
@pytest.mark.parametrize(
    ("names", "denied"),
    [
        ({"dns": ("A.Old.test.",)}, "a.old.test"),
        ({"dns": ("a.old.test.",)}, "*.old.test"),
        ({"ips": ("::ffff:10.0.0.7",)}, "10.0.0.7"),
        ({"ips": ("::ffff:10.0.0.7",)}, "::ffff:10.0.0.7"),
        ({"ips": ("fd00::7",)}, "fd00:0:0::7"),
    ],
)
def test_a_denied_name_may_be_spelt_in_another_way(root, names, denied):
    leaf = root.issue(**names)

    assert refusal(trust(deny=[denied], root=root), leaf).detail.endswith(f"by {denied} in deny")
    assert trust(deny=["b.test", "10.0.0.8"], root=root).verify(
        leaf.chain_der, Purpose.CLIENT, pki.NOW
    )


@pytest.mark.parametrize("authority", [LEAF, MIDDLE])
def test_a_serial_number_may_be_denied_without_a_list(authority):
    serial = authority.certificate.serial_number

    refused = refusal(trust(deny=[f"serial:{serial:x}"]))

    assert refused.alert == "certificate_revoked"
    assert f"its serial number {serial:x} is on the list deny" in refused.detail


def test_who_was_believed_is_judged_again_by_what_is_remembered():
    """Without the chain: that is how a live connection and a ticket are judged."""
    peer = trust().verify(LEAF.chain_der, Purpose.CLIENT, pki.NOW)
    newer = trust(MIDDLE.revoke(LEAF), beside=[MIDDLE.certificate]).revocations

    assert [one.serial for one in peer.path] == [
        LEAF.certificate.serial_number,
        MIDDLE.certificate.serial_number,
    ]
    with pytest.raises(Refused, match="CN=intermediate revoked it"):
        newer.check(type(peer).decode(peer.encode()))


def test_lists_that_were_read_before_judge_the_same():
    """A worker gets them so."""
    files = replace(
        ROOT.trust_files(),
        crl=(RevocationFile("root.crl", ROOT.revoke(MIDDLE).public_bytes(Encoding.PEM)),),
    )
    read = Trust.load(files)

    settled = Trust.load(replace(files, crl=(), revoked=read.revocations.lists))

    assert settled.digest == read.digest
    assert refusal(settled).detail == refusal(read).detail


def test_what_a_trust_set_is_bound_to_changes_with_whom_it_denies():
    """So that no session from before is resumed; only a newer date of a list changes nothing."""
    plain, listed = trust(), trust(ROOT.revoke(5))

    different = {one.digest for one in (plain, listed, trust(deny=[ID]), trust(ROOT.revoke(6)))}

    assert len(different) == 4
    assert trust(ROOT.revoke(5, next_update=pki.FUTURE)).digest == listed.digest


def revocations(count):
    serials = b"".join(number.to_bytes(SERIAL_BYTES, "big") for number in range(1, count, 2))
    return Revocations((RevokedSerials("CN=root", b"issuer", serials, None),))


@pytest.mark.parametrize("serial", [-1, 0, 2, 10, 2**160, 2**200])
def test_serial_numbers_between_and_beyond_those_listed_are_not_listed(serial):
    peer = trust().verify(LEAF.chain_der, Purpose.CLIENT, pki.NOW)

    revocations(10).check(replace(peer, path=(CertificateId(b"issuer", serial),)))


@pytest.mark.parametrize("serial", [1, 5, 9])
def test_the_first_and_the_last_of_a_list_count(serial):
    peer = trust().verify(LEAF.chain_der, Purpose.CLIENT, pki.NOW)

    with pytest.raises(Refused):
        revocations(10).check(replace(peer, path=(CertificateId(b"issuer", serial),)))


def test_a_long_list_costs_a_handshake_nothing_that_counts():
    """200 000 entries: looked through one by one they would take milliseconds."""
    peer = trust().verify(LEAF.chain_der, Purpose.CLIENT, pki.NOW)
    peer = replace(peer, path=(CertificateId(b"issuer", 200_000),))
    long, rounds = revocations(400_000), 200

    started = time.thread_time()
    for _ in range(rounds):
        long.check(peer)

    assert (time.thread_time() - started) / rounds < 0.001
