import shutil
import stat

import pytest

from pqproxy.cli.main import main


@pytest.fixture(scope="module")
def corp(tmp_path_factory):
    """A directory with authorities, made once."""
    directory = tmp_path_factory.mktemp("corp")
    assert main(["certs", "init", "--trust-domain", "corp", "--dir", str(directory)]) == 0
    return directory


def test_an_authority_is_hybrid_and_standard_and_so_is_what_it_issues(certs, tmp_path, capsys):
    assert certs("init", "--trust-domain", "corp") == 0
    assert certs("issue", "llm", "--spiffe", "spiffe://corp/llm", "--dns", "llm.test") == 0
    assert certs("export", "llm") == 0

    printed = capsys.readouterr()
    assert printed.err == ""
    for algorithm in ("mldsa65-ecdsa-p256", "ecdsa-p256"):
        assert f"certs/ca/{algorithm}/ca.crt" in printed.out
        assert f"certs/leaf/llm/{algorithm}.crt" in printed.out
    assert "spiffe://corp/llm, llm.test" in printed.out
    assert "llm.pem  (holds private keys: mldsa65-ecdsa-p256, ecdsa-p256)" in printed.out
    assert stat.S_IMODE((tmp_path / "llm.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("algorithm", ["mldsa87-ecdsa-p384", "ecdsa-p384", "rsa-2048", "mldsa65"])
def test_one_algorithm_can_be_chosen(certs, tmp_path, algorithm):
    certs("init", "--algorithm", algorithm)
    certs("issue", "llm", "--ip", "10.0.0.7", "--days", "7")

    assert [path.name for path in (tmp_path / "certs" / "ca").iterdir()] == [algorithm]
    assert {path.stem for path in (tmp_path / "certs" / "leaf" / "llm").iterdir()} == {algorithm}


def test_one_of_several_authorities_can_be_chosen(certs, tmp_path):
    certs("init")

    certs("issue", "llm", "--dns", "llm.test", "--algorithm", "ecdsa-p256")

    made = {path.name for path in (tmp_path / "certs" / "leaf" / "llm").iterdir()}
    assert made == {"ecdsa-p256.crt", "ecdsa-p256.key"}


def test_an_old_directory_with_one_authority_goes_on_as_it_was(certs, tmp_path, capsys):
    certs("init", "--algorithm", "ecdsa-p256")

    assert certs("issue", "llm", "--dns", "llm.test") == 0
    made = {path.stem for path in (tmp_path / "certs" / "leaf" / "llm").iterdir()}
    assert made == {"ecdsa-p256"}
    capsys.readouterr()
    assert certs("init") == 2
    assert "--algorithm mldsa65-ecdsa-p256" in capsys.readouterr().err


def test_an_authority_that_is_put_beside_another_signs_for_the_same_domain(certs, capsys):
    """Else it could sign nothing that peers of both would believe."""
    certs("init", "--algorithm", "ecdsa-p256", "--trust-domain", "corp")
    capsys.readouterr()

    assert certs("init", "--algorithm", "mldsa65-ecdsa-p256") == 0
    assert "signs for    spiffe://corp\n" in capsys.readouterr().out
    assert certs("issue", "llm", "--spiffe", "spiffe://corp/llm") == 0


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ("init",),
            "certs/ca/mldsa65-ecdsa-p256/ca.key exists and is never overwritten",
            "move it away",
        ),
        (("issue", "llm"), "a certificate needs a name that peers can check", "give --spiffe"),
        (("issue", "../x", "--dns", "a"), "'../x' cannot name a certificate", "use letters"),
        (
            ("issue", "llm", "--spiffe", "spiffe://other/a"),
            "certs/ca/mldsa65-ecdsa-p256/ca.crt signs for the trust domain corp",
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
        (("export", "llm"), "there is no certificate of llm in certs", "issue it"),
        (("renew", "llm"), "there is no certificate of llm in certs", "issue it"),
        (("renew",), "there are no certificates in certs", "issue one"),
        (("renew", "--watch"), "there are no certificates in certs", "issue one"),
        (("csr", "llm"), "a certificate needs a name that peers can check", "give --spiffe"),
        (("csr", "llm", "--keep-key"), "there is no key certs/leaf/llm/*.key", "make one"),
        (("sign", "x.csr"), "cannot read x.csr", None),
        (("sign", "certs/ca/ecdsa-p256/ca.crt"), "certs/ca/ecdsa-p256/ca.crt: holds no cert", "gi"),
        (("revoke",), "revoke takes a NAME or FILE, or else --serial", "certs show lists them"),
        (("revoke", "llm"), "there is no certificate of llm in certs", "issue it"),
        (("revoke", "--serial", "7"), "--serial needs the --algorithm of the authority", None),
        (
            ("revoke", "--serial", "x", "--algorithm", "ecdsa-p256"),
            "--serial x is no serial number",
            "in hex",
        ),
        (
            ("revoke", "certs/ca/ecdsa-p256/ca.crt"),
            "certs/ca/ecdsa-p256/ca.crt is a root, which no list can revoke",
            "certs bundle FILE --retire",
        ),
        (("crl", "--dir", "x"), "there is no authority in x", "make one"),
        (("bundle", "x.pem", "--dir", "x"), "x.pem would hold no root", "--add FILE"),
        (("init", "--algorithm", "ed25519"), "argument --algorithm: invalid choice", "--help"),
    ],
)
def test_a_mistake_is_said_in_one_line_with_a_hint_and_exit_code_2(
    certs, tmp_path, corp, capsys, arguments, message, hint
):
    shutil.copytree(corp, tmp_path / "certs")

    assert certs(*arguments) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    error, *hints = printed.err.splitlines()
    assert error.startswith(f"pqproxy: error: {message}")
    assert len(hints) == (0 if hint is None else 1)
    assert all(line.startswith("hint: ") and hint in line for line in hints)


@pytest.fixture
def passphrases(tmp_path):
    """Files with the passphrase of the authority and that of a leaf."""
    for name in ("ca", "leaf"):
        (tmp_path / f"{name}.pass").write_text(f"{name} passphrase\n")
    return ("--passphrase-file", "ca.pass"), ("--key-passphrase-file", "leaf.pass")


def test_keys_may_lie_under_passphrases_all_their_life(certs, tmp_path, passphrases, capsys):
    ca, leaf = passphrases
    one = ("--algorithm", "mldsa65-ecdsa-p256")  # each takes its time, on purpose
    assert certs("init", *ca, *one) == 0
    assert certs("issue", "llm", "--dns", "llm.test", *ca, *leaf) == 0
    assert certs("renew", "llm", *ca, *leaf) == 0
    request = ("csr", "app", "--dns", "app.test", "--dir", "app", *one)
    assert certs(*request, "--passphrase-file", "leaf.pass") == 0
    assert certs("sign", "app.csr", *ca) == 0
    assert certs("revoke", "app", *ca) == 0
    assert certs("crl", *ca) == 0

    keys = {path for path in tmp_path.rglob("*.key") if not path.is_symlink()}
    assert len(keys) == 1 + 2 + 1  # of the authority, of llm before and after, of app
    assert all(path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIV") for path in keys)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("verb", [("issue", "app", "--dns", "a.test"), ("renew", "llm"), ("crl",)])
def test_without_its_passphrase_an_authority_signs_nothing(certs, passphrases, capsys, verb):
    ca, _ = passphrases
    certs("init", *ca, "--algorithm", "mldsa65-ecdsa-p256")
    certs("issue", "llm", "--dns", "llm.test", *ca)
    capsys.readouterr()

    assert certs(*verb) == 2
    assert certs(*verb, "--passphrase-file", "leaf.pass") == 2

    absent, wrong = (
        line for line in capsys.readouterr().err.splitlines() if not line.startswith("hint")
    )
    for line in (absent, wrong):
        assert line.startswith("pqproxy: error: certs/ca/mldsa65-ecdsa-p256/ca.key: ")
    assert "--passphrase-file or PQPROXY_PASSPHRASE" in absent
    assert "wrong" in wrong or "passphrase does not" in wrong


def test_a_passphrase_may_stand_in_the_environment(certs, tmp_path, monkeypatch):
    monkeypatch.setenv("PQPROXY_PASSPHRASE", "correct horse")

    assert certs("init", "--algorithm", "ecdsa-p256") == 0
    assert certs("issue", "llm", "--dns", "llm.test") == 0

    key = tmp_path / "certs" / "ca" / "ecdsa-p256" / "ca.key"
    assert b"ENCRYPTED" in key.read_bytes()
