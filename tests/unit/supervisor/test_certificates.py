import dataclasses

from pqproxy.config.values import TrustFiles
from pqproxy.supervisor.certificates import CertificateEnd, certificate_ends
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
