import shutil
import stat
import subprocess
from datetime import timedelta

import pytest

from pqproxy.config.values import IdentityFiles, TrustFiles
from pqproxy.identity import Identity, IdentityError, Purpose, Trust
from pqproxy.identity.authority import create_authority, export, issue, leaf_files, open_authority
from pqproxy.identity.certificates import ALGORITHMS, LeafNames
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",), ("llm.test",), ("10.0.0.7",))

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="the system has no openssl")


def make(directory, algorithm="ecdsa-p256", **options):
    return create_authority(directory, algorithm, now=pki.NOW, **options)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_it_issues_is_trusted_in_both_directions(tmp_path, algorithm):
    root = make(tmp_path, algorithm, trust_domain="corp")
    files = issue(root, "llm", NAMES, now=pki.NOW)

    identity = Identity.load(
        IdentityFiles("llm", files.certificate.read_bytes(), files.key.read_bytes(), "llm"),
        pki.NOW,
    )
    trust = Trust.load(TrustFiles("mesh", (root.path.read_bytes(),), "ca"))
    for purpose in Purpose:
        peer = trust.verify(identity.chain, purpose, pki.NOW)
        assert peer.uris == ("spiffe://corp/llm",)
        assert peer.trust_domain_vouched


def test_files_lie_where_they_are_looked_for_and_keys_are_private(tmp_path):
    issue(make(tmp_path / "certs", "mldsa65"), "llm", NAMES, now=pki.NOW)

    made = {
        str(path.relative_to(tmp_path)): oct(mode(path)) for path in sorted(tmp_path.rglob("*"))
    }
    assert made == {
        "certs": "0o700",
        "certs/ca": "0o700",
        "certs/ca/mldsa65": "0o700",
        "certs/ca/mldsa65/ca.crt": "0o644",
        "certs/ca/mldsa65/ca.key": "0o600",
        "certs/leaf": "0o700",
        "certs/leaf/llm": "0o700",
        "certs/leaf/llm/mldsa65.crt": "0o644",
        "certs/leaf/llm/mldsa65.key": "0o600",
    }


def test_an_authority_is_never_overwritten(tmp_path):
    before = make(tmp_path).path.read_bytes()

    with pytest.raises(IdentityError, match=r"ca\.key exists and is never overwritten"):
        make(tmp_path)

    assert open_authority(tmp_path).path.read_bytes() == before


def test_a_leaf_is_never_overwritten(tmp_path):
    root = make(tmp_path)
    key = issue(root, "llm", NAMES, now=pki.NOW).key.read_bytes()

    with pytest.raises(IdentityError, match=r"ecdsa-p256\.key exists"):
        issue(root, "llm", NAMES, now=pki.NOW)

    assert leaf_files(tmp_path, "llm", "ecdsa-p256").key.read_bytes() == key


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_authority_is_opened_again(tmp_path, algorithm):
    made = make(tmp_path, algorithm, trust_domain="corp")

    opened = open_authority(tmp_path, algorithm)

    assert opened.certificate == made.certificate
    assert opened.private_key.public_key() == made.private_key.public_key()
    assert opened.trust_domain == "corp"


def test_an_authority_that_is_not_there_is_named_with_how_to_make_it(tmp_path):
    with pytest.raises(IdentityError, match="there is no mldsa65 authority") as error:
        open_authority(tmp_path, "mldsa65")

    assert error.value.fix == f"make one: pqproxy certs init --dir {tmp_path} --algorithm mldsa65"


def test_an_authority_with_the_key_of_another_is_refused(tmp_path):
    make(tmp_path)
    other = make(tmp_path / "other")
    key = tmp_path / "ca" / "ecdsa-p256" / "ca.key"
    key.write_bytes(other.path.with_suffix(".key").read_bytes())

    with pytest.raises(IdentityError, match=r"ca\.key does not belong to .*ca\.crt"):
        open_authority(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_an_authority_without_a_readable_key_is_named(tmp_path, damage):
    key = make(tmp_path).path.with_suffix(".key")
    key.unlink() if damage == "missing" else key.write_bytes(b"garbage")

    with pytest.raises(IdentityError, match=r"ca\.key"):
        open_authority(tmp_path)


def test_an_unknown_algorithm_is_an_error(tmp_path):
    with pytest.raises(IdentityError, match="'ed25519' is not an algorithm") as error:
        make(tmp_path, "ed25519")

    assert "mldsa65" in error.value.fix


@pytest.mark.parametrize("name", ["", ".", "..", "../llm", "a/b", "-a", "a b", "a\n", "a" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(IdentityError, match="cannot name a certificate"):
        issue(make(tmp_path), name, NAMES, now=pki.NOW)


def test_an_id_of_another_trust_domain_is_refused_when_it_is_issued(tmp_path):
    root = make(tmp_path, trust_domain="other")

    with pytest.raises(IdentityError, match="signs for the trust domain other"):
        issue(root, "llm", NAMES, now=pki.NOW)


def test_an_id_that_a_sister_authority_declares_is_refused_when_it_is_issued(tmp_path):
    """Peers that trust the whole directory would refuse it, and nobody would guess why."""
    make(tmp_path, "ecdsa-p256", trust_domain="corp")
    silent = make(tmp_path, "mldsa65")

    with pytest.raises(IdentityError, match="declares no trust domain") as error:
        issue(silent, "llm", NAMES, now=pki.NOW)

    assert "--algorithm mldsa65 --trust-domain corp" in error.value.fix


def test_an_expired_authority_issues_nothing(tmp_path):
    root = make(tmp_path, days=1)

    with pytest.raises(IdentityError, match="has expired"):
        issue(root, "llm", NAMES, now=pki.NOW + timedelta(days=1))


def test_an_export_is_one_private_file_with_all_that_another_machine_needs(tmp_path):
    root = make(tmp_path)
    other = make(tmp_path, "mldsa65")
    files = issue(root, "llm", NAMES, now=pki.NOW)
    target = tmp_path / "llm.pem"

    export(tmp_path, "llm", "ecdsa-p256", target)

    parts = (files.key, files.certificate, root.path, other.path)
    assert target.read_bytes() == b"".join(path.read_bytes() for path in parts)
    assert mode(target) == 0o600


def test_an_export_overwrites_nothing(tmp_path):
    issue(make(tmp_path), "llm", NAMES, now=pki.NOW)
    target = tmp_path / "llm.pem"
    target.write_text("mine")

    with pytest.raises(IdentityError, match="exists"):
        export(tmp_path, "llm", "ecdsa-p256", target)

    assert target.read_text() == "mine"


def test_what_was_not_issued_cannot_be_exported(tmp_path):
    make(tmp_path)

    with pytest.raises(IdentityError, match="there is no ecdsa-p256 certificate of llm") as error:
        export(tmp_path, "llm", "ecdsa-p256", tmp_path / "llm.pem")

    assert error.value.fix.startswith("issue it: pqproxy certs issue llm")


def test_an_authority_does_not_print_its_key(tmp_path):
    assert "private" not in repr(make(tmp_path)).lower()


@needs_openssl
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_verifies_what_it_issues(tmp_path, algorithm, purpose):
    root = make(tmp_path, algorithm, trust_domain="corp")
    files = issue(root, "llm", NAMES, now=pki.NOW)
    command = [
        OPENSSL, "verify", "-x509_strict", "-purpose", purpose,
        "-attime", str(int(pki.NOW.timestamp())), "-verify_hostname", "llm.test",
        "-CAfile", root.path, files.certificate,
    ]  # fmt: skip

    verified = subprocess.run(command, capture_output=True, text=True, check=False)

    assert verified.stdout == f"{files.certificate}: OK\n", verified.stderr


@needs_openssl
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_openssl_reads_the_keys(tmp_path, algorithm):
    key = make(tmp_path, algorithm).path.with_suffix(".key")

    checked = subprocess.run(
        [OPENSSL, "pkey", "-check", "-noout", "-in", key], capture_output=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
