import dataclasses
from datetime import UTC, datetime, timedelta

from pqproxy.config.values import IdentityFiles, TrustFiles
from pqproxy.supervisor.certificates import CertificateEnd, certificate_ends, ending_soon
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


def test_what_ends_soon_is_said_and_what_does_not_is_not():
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    ends = [
        CertificateEnd("old", "root", now - timedelta(days=1)),
        CertificateEnd("short", "leaf", now + timedelta(hours=5)),
        CertificateEnd("long", "leaf", now + timedelta(days=8)),
    ]

    assert list(ending_soon(ends, now)) == [
        "the root certificate of old ends already (2026-02-28 12:00 UTC): renew, reload",
        "the leaf certificate of short ends in 5 hours (2026-03-01 17:00 UTC): renew, reload",
    ]
