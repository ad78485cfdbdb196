from datetime import timedelta

import pytest
from cryptography import x509

from pqproxy.crypto.x509_signing import sign_revocation_list
from pqproxy.identity.certificates import LeafNames, common_name
from pqproxy.identity.proofs import request_fault, revocation_list_fault
from pqproxy.identity.requests import build_request
from tests.support import pki

ALGORITHMS = ("mldsa65-ecdsa-p256", "mldsa65-ed25519", "ecdsa-p256", "rsa-2048", "mldsa65")


def revocation_list(key):
    builder = x509.CertificateRevocationListBuilder(
        common_name("root"), pki.NOW, pki.NOW + timedelta(days=1)
    )
    return sign_revocation_list(builder, key)


def request(key):
    return x509.load_pem_x509_csr(build_request(key, "llm", LeafNames(dns=("a.test",))))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("make", "fault"), [(request, request_fault), (revocation_list, revocation_list_fault)]
)
def test_what_a_key_signed_is_proved_by_it(algorithm, make, fault):
    key = pki.key(algorithm)

    assert fault(make(key), key.public_key()) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_a_list_that_another_key_signed_is_not(algorithm, other):
    made = revocation_list(pki.key(algorithm, "one"))

    assert revocation_list_fault(made, pki.key(other, "other").public_key())


def test_both_halves_of_a_composite_are_told():
    made = request(pki.key("mldsa65-ecdsa-p256", "one"))

    fault = request_fault(made, pki.key("mldsa65-ecdsa-p256", "other").public_key())

    assert fault.count("does not verify") == 2
