import json
import stat

import pytest

from pqproxy.cli.main import main
from tests.support import pki


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def certs(*arguments):
    return main(["certs", *arguments])


def test_an_authority_and_a_certificate_are_made_and_exported(tmp_path, capsys):
    assert certs("init", "--trust-domain", "corp") == 0
    assert certs("issue", "llm", "--spiffe", "spiffe://corp/llm", "--dns", "llm.test") == 0
    assert certs("export", "llm") == 0

    printed = capsys.readouterr()
    assert printed.err == ""
    assert "certs/ca/ecdsa-p256/ca.crt" in printed.out
    assert "spiffe://corp/llm, llm.test" in printed.out
    assert "llm.pem" in printed.out
    assert stat.S_IMODE((tmp_path / "llm.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "mldsa65", "mldsa87"]
)
def test_every_algorithm_can_be_chosen_and_is_shown(algorithm, capsys):
    place = ("--dir", "elsewhere", "--algorithm", algorithm)
    certs("init", *place)
    certs("issue", "llm", *place, "--ip", "10.0.0.7", "--ip", "::1", "--days", "7")
    capsys.readouterr()

    assert certs("show", "--dir", "elsewhere", "-o", "json") == 0

    root, leaf = json.loads(capsys.readouterr().out)
    assert (root["kind"], root["algorithm"]) == ("authority", algorithm)
    assert (leaf["kind"], leaf["algorithm"]) == ("leaf", algorithm)
    assert leaf["names"] == ["10.0.0.7", "::1"]
    assert leaf["days_left"] in (6, 7)  # a moment has passed since
    assert leaf["file"] == f"elsewhere/leaf/llm/{algorithm}.crt"


def test_a_listing_for_people_tells_names_end_and_key(capsys):
    certs("init")
    certs("issue", "llm", "--dns", "llm.test")
    capsys.readouterr()

    assert certs("show") == 0

    printed = capsys.readouterr().out
    for expected in ("authority, ecdsa-p256, key present", "names     llm.test", "days left"):
        assert expected in printed
    assert "PRIVATE KEY" not in printed


def test_single_files_can_be_shown(capsys):
    certs("init")
    capsys.readouterr()

    assert certs("show", "certs/ca/ecdsa-p256/ca.crt") == 0
    assert capsys.readouterr().out.startswith("certs/ca/ecdsa-p256/ca.crt\n  authority")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("init",), "certs/ca/ecdsa-p256/ca.key exists and is never overwritten", "move it away"),
        (("issue", "llm"), "a certificate needs a name that peers can check", "give --spiffe"),
        (("issue", "../x", "--dns", "a"), "'../x' cannot name a certificate", "use letters"),
        (
            ("issue", "llm", "--spiffe", "spiffe://other/a"),
            "certs/ca/ecdsa-p256/ca.crt signs for the trust domain corp",
            "use an ID that starts with spiffe://corp/",
        ),
        (
            ("issue", "llm", "--dns", "a", "--algorithm", "mldsa65"),
            "there is no mldsa65 authority in certs",
            "make one: pqproxy certs init",
        ),
        (("init", "--dir", "x", "--days", "0"), "0 days is not a validity", "choose 1 to"),
        (("show", "--dir", "x"), "there are no certificates in x", "make an authority"),
        (("show", "missing.crt"), "cannot read missing.crt", None),
        (("export", "llm"), "there is no ecdsa-p256 certificate of llm in certs", "issue it"),
        (("init", "--algorithm", "ed25519"), "argument --algorithm: invalid choice", "--help"),
    ],
)
def test_a_mistake_is_said_in_one_line_with_a_hint_and_exit_code_2(
    capsys, arguments, message, hint
):
    certs("init", "--trust-domain", "corp")
    capsys.readouterr()

    assert certs(*arguments) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    error, *hints = printed.err.splitlines()
    assert error.startswith(f"pqproxy: error: {message}")
    assert len(hints) == (0 if hint is None else 1)
    assert all(line.startswith("hint: ") and hint in line for line in hints)


def test_an_expired_certificate_is_shown_as_expired(capsys, tmp_path):
    path, _ = pki.root().issue(dns=("a.test",), not_after=pki.PAST).write(tmp_path)

    assert certs("show", str(path)) == 0
    assert "2021-01-01 (EXPIRED)" in capsys.readouterr().out
