import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from pqproxy.config.values import IdentityFiles, RevokedSerials, TrustFiles
from pqproxy.supervisor.certificates import CertificateEnd, certificate_ends, warning_of
from tests.support import pki
from tests.unit.supervisor.harness import settings


def test_the_earliest_end_of_each_role_is_reported():
    root = pki.root("ecdsa-p256")
    leaf = root.intermediate().issue(not_after=pki.PAST)
    roots = TrustFiles("mesh", (root.certificate_pem, root.certificate_pem), "mesh.pem")

    ends = certificate_ends(
        dataclasses.replace(settings(), identities=(leaf.files("hybrid"),), trust=(roots,))
    )

    assert ends == (
        CertificateEnd("hybrid", "leaf", pki.PAST),
        CertificateEnd("hybrid", "intermediate", pki.NOT_AFTER),
        CertificateEnd("mesh", "root", pki.NOT_AFTER),
    )


def test_a_root_in_the_file_of_an_identity_is_none_of_its_certificates():
    root = pki.root("ecdsa-p256", not_after=pki.PAST)
    files = IdentityFiles("own", root.certificate_pem + root.issue().certificate_pem, b"", "own")

    ends = certificate_ends(dataclasses.replace(settings(), identities=(files,), trust=()))

    assert ends == (CertificateEnd("own", "leaf", pki.NOT_AFTER),)


def test_a_newer_revocation_list_is_due_when_the_first_one_of_a_trust_set_says_so():
    lists = [RevokedSerials(f"CN={due}", b"", b"", next_update=due) for due in (3e9, None, 2e9)]
    trust = TrustFiles("mesh", (), "mesh.pem", revoked=tuple(lists))

    assert certificate_ends(dataclasses.replace(settings(), trust=(trust,))) == (
        CertificateEnd("mesh", "crl", datetime.fromtimestamp(2e9, UTC)),
    )


@pytest.mark.parametrize(
    ("role", "left", "said"),
    [
        (
            "root",
            timedelta(days=-1),
            "the root certificate of x ended (2026-02-28 12:00 UTC): let its successor stand",
        ),
        (
            "leaf",
            timedelta(hours=5),
            "the leaf certificate of x ends in 5 hours (2026-03-01 17:00 UTC)",
        ),
        ("leaf", timedelta(days=7, seconds=-1), "ends in 167 hours"),
        ("leaf", timedelta(days=7), None),
        ("crl", timedelta(hours=5), None),
        ("crl", timedelta(hours=-1), "the revocation list of x should have been replaced"),
    ],
)
def test_what_ends_soon_is_said_and_what_does_not_is_not(role, left, said):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    warning = warning_of(CertificateEnd("x", role, now + left), now)

    assert warning is None if said is None else said in warning
