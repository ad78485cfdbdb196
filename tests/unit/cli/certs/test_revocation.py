import json

import pytest
from cryptography import x509


@pytest.fixture
def issued(certs, capsys):
    certs("init")
    certs("issue", "llm", "--dns", "llm.test")
    certs("renew", "llm")
    capsys.readouterr()


def revoked(tmp_path, algorithm):
    pem = (tmp_path / "certs" / "ca" / algorithm / "ca.crl").read_bytes()
    return {entry.serial_number for entry in x509.load_pem_x509_crl(pem)}


@pytest.mark.usefixtures("issued")
def test_of_a_name_everything_is_revoked_what_was_before_a_renewal_too(certs, tmp_path, capsys):
    """A stolen directory holds both keys."""
    assert certs("revoke", "llm", "--reason", "key-compromise") == 0

    for algorithm in ("mldsa65-ecdsa-p256", "ecdsa-p256"):
        paths = (tmp_path / "certs" / "leaf" / "llm").glob(f"..2*/{algorithm}.crt")
        there = {x509.load_pem_x509_certificate(path.read_bytes()).serial_number for path in paths}
        assert len(there) == 2
        assert revoked(tmp_path, algorithm) == there
    assert "(number 1, 2 entries)" in capsys.readouterr().out


@pytest.mark.usefixtures("issued")
def test_one_certificate_is_revoked_by_its_file(certs, tmp_path):
    path = "certs/leaf/llm/ecdsa-p256.crt"

    assert certs("revoke", path) == 0

    certificate = x509.load_pem_x509_certificate((tmp_path / path).read_bytes())
    assert revoked(tmp_path, "ecdsa-p256") == {certificate.serial_number}
    assert not (tmp_path / "certs" / "ca" / "mldsa65-ecdsa-p256" / "ca.crl").exists()


@pytest.mark.usefixtures("issued")
def test_one_certificate_is_revoked_by_its_serial_number(certs, tmp_path, capsys):
    certs("show", "certs/leaf/llm/ecdsa-p256.crt", "-o", "json")
    serial = json.loads(capsys.readouterr().out)[0]["serial"]

    assert certs("revoke", "--serial", serial, "--algorithm", "ecdsa-p256") == 0
    assert revoked(tmp_path, "ecdsa-p256") == {int(serial, 16)}


@pytest.mark.usefixtures("issued")
def test_what_is_revoked_twice_was_revoked_once(certs, capsys):
    certs("revoke", "llm", "--algorithm", "ecdsa-p256")
    capsys.readouterr()

    assert certs("revoke", "llm", "--algorithm", "ecdsa-p256") == 0
    printed = capsys.readouterr().out
    assert printed.count("was revoked") == 2
    assert "(number 2, 2 entries)" in printed


@pytest.mark.usefixtures("issued")
def test_lists_are_made_anew_and_where_there_are_none_made(certs, tmp_path, capsys):
    certs("revoke", "llm", "--algorithm", "ecdsa-p256")
    before = revoked(tmp_path, "ecdsa-p256")
    capsys.readouterr()

    assert certs("crl", "--days", "90") == 0

    assert revoked(tmp_path, "ecdsa-p256") == before
    assert revoked(tmp_path, "mldsa65-ecdsa-p256") == set()
    assert "(number 1, 0 entries)" in capsys.readouterr().out
