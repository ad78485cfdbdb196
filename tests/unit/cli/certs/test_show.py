import json
import ssl

import pytest

from tests.support import pki


@pytest.mark.parametrize("algorithm", ["mldsa65-ecdsa-p256", "mldsa65-ed25519", "rsa-2048"])
def test_every_algorithm_is_shown_by_its_name(certs, algorithm, capsys):
    place = ("--dir", "elsewhere")
    certs("init", *place, "--algorithm", algorithm)
    certs("issue", "llm", *place, "--ip", "10.0.0.7", "--ip", "::1", "--days", "7")
    capsys.readouterr()

    assert certs("show", *place, "-o", "json") == 0

    root, leaf = json.loads(capsys.readouterr().out)
    assert (root["kind"], root["algorithm"]) == ("authority", algorithm)
    assert (leaf["kind"], leaf["algorithm"]) == ("leaf", algorithm)
    assert leaf["names"] == ["10.0.0.7", "::1"]
    assert leaf["days_left"] in (6, 7)  # a moment has passed since
    assert leaf["file"] == f"elsewhere/leaf/llm/{algorithm}.crt"


def test_a_listing_for_people_tells_names_end_and_key(certs, capsys):
    certs("init")
    certs("issue", "llm", "--dns", "llm.test")
    capsys.readouterr()

    assert certs("show") == 0

    printed = capsys.readouterr().out
    for expected in (
        "authority, mldsa65-ecdsa-p256, key present",
        "leaf, ecdsa-p256, key present",
        "names      llm.test",
        "days left",
    ):
        assert expected in printed
    assert "PRIVATE KEY" not in printed


def test_who_is_revoked_is_shown_as_revoked(certs, capsys):
    certs("init", "--algorithm", "ecdsa-p256")
    for name in ("app", "llm"):
        certs("issue", name, "--dns", f"{name}.test")
    certs("revoke", "app")
    capsys.readouterr()

    assert certs("show") == 0

    printed = capsys.readouterr().out
    assert "app/ecdsa-p256.crt\n  leaf, ecdsa-p256, key present, REVOKED\n" in printed
    assert printed.count("REVOKED") == 1
    assert certs("show", "app") == 0
    named = capsys.readouterr().out
    assert named.count("certs/leaf/app/ecdsa-p256.crt") == named.count("REVOKED") == 1
    assert "llm" not in named


def test_single_files_can_be_shown(certs, capsys):
    certs("init")
    capsys.readouterr()

    assert certs("show", "certs/ca/ecdsa-p256/ca.crt") == 0
    assert capsys.readouterr().out.startswith("certs/ca/ecdsa-p256/ca.crt\n  authority")


def test_an_expired_certificate_is_shown_as_expired(certs, capsys, tmp_path):
    path, _ = pki.root().issue(dns=("a.test",), not_after=pki.PAST).write(tmp_path)

    assert certs("show", str(path)) == 0
    assert "2021-01-01 (EXPIRED)" in capsys.readouterr().out


def test_a_request_is_shown_with_what_will_not_be_taken(certs, capsys):
    certs("csr", "llm", "--dns", "llm.test")
    capsys.readouterr()

    assert certs("show", "llm.csr") == 0

    printed = capsys.readouterr().out
    assert "request, mldsa65-ecdsa-p256, proved by its key" in printed
    assert "names      llm.test" in printed
    assert "not taken  subject CN=llm" in printed


def test_revocation_lists_are_shown_with_their_authorities(certs, capsys):
    certs("init", "--algorithm", "mldsa65-ecdsa-p256")
    certs("revoke", "--serial", "ab", "--algorithm", "mldsa65-ecdsa-p256", "--reason", "superseded")
    capsys.readouterr()

    assert certs("show") == 0
    printed = capsys.readouterr().out
    assert "(signature good)" in printed
    assert "good until" in printed
    assert "(29 days left)" in printed
    assert "superseded" in printed

    assert certs("show", "-o", "json") == 0
    _, listed = json.loads(capsys.readouterr().out)
    assert listed["kind"] == "revocation list"
    assert [one["serial"] for one in listed["revoked"]] == ["ab"]


def test_a_key_that_waits_for_its_certificate_is_shown(certs, capsys):
    certs("csr", "llm", "--dns", "llm.test", "--algorithm", "ecdsa-p256")
    capsys.readouterr()

    assert certs("show") == 0
    assert capsys.readouterr().out.startswith(
        "certs/leaf/llm/ecdsa-p256.key\n  key without a certificate, present\n"
    )


def test_an_odd_name_in_a_certificate_is_no_warning_in_python(certs, capfd, tmp_path):
    """The library warns of a country of three letters, and shows it all the same."""
    der = pki.root().issue(dns=("a.test",), name="DEU").chain_der[0]
    common_name = bytes.fromhex("06035504030c03") + b"DEU"
    country = bytes.fromhex("06035504060c03") + b"DEU"
    odd = tmp_path / "odd.crt"
    odd.write_text(ssl.DER_cert_to_PEM_cert(der.replace(common_name, country)))

    assert certs("show", str(odd)) == 0
    out, err = capfd.readouterr()
    assert "C=DEU" in out
    assert not err
