from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from pqproxy.demo.certificates import CLIENT, SERVER, Certificates

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def uri(path):
    certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def test_each_sidecar_gets_the_name_that_the_other_expects(tmp_path):
    certificates = Certificates.create(tmp_path, NOW)

    assert uri(certificates.server["certificate"]) == [SERVER]
    assert uri(certificates.client["certificate"]) == [CLIENT]


def test_they_end_with_the_day(tmp_path):
    certificates = Certificates.create(tmp_path, NOW)

    leaf = x509.load_pem_x509_certificate(Path(certificates.server["certificate"]).read_bytes())

    assert (leaf.not_valid_after_utc - NOW).days <= 1
