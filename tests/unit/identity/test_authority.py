import shutil
import stat
import subprocess
from datetime import timedelta

import pytest
from cryptography import x509

from pqproxy.config.values import IdentityFiles, TrustFiles
from pqproxy.identity import Identity, IdentityError, Purpose, Trust
from pqproxy.identity.authority import (
    LeafOptions,
    create_authority,
    issue,
    issue_from,
    open_authorities,
    open_authority,
    open_issuer,
)
from pqproxy.identity.certificates import ALGORITHMS, Issuer, LeafNames, Validity, build_leaf
from pqproxy.identity.leaves import leaf_files
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

    assert open_authority(tmp_path, "ecdsa-p256").path.read_bytes() == before


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
        open_authority(tmp_path, "ecdsa-p256")


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_an_authority_without_a_readable_key_is_named(tmp_path, damage):
    key = make(tmp_path).path.with_suffix(".key")
    key.unlink() if damage == "missing" else key.write_bytes(b"garbage")

    with pytest.raises(IdentityError, match=r"ca\.key"):
        open_authority(tmp_path, "ecdsa-p256")


def test_an_unknown_algorithm_is_an_error(tmp_path):
    with pytest.raises(IdentityError, match="'ed25519' is not an algorithm") as error:
        make(tmp_path, "ed25519")

    assert "mldsa65" in error.value.fix


def test_every_authority_of_a_directory_is_opened_hybrid_first(tmp_path):
    """A listener offers its identities in this order, and so do we list them."""
    for algorithm in ("ecdsa-p256", "mldsa65-ecdsa-p256", "mldsa65"):
        make(tmp_path, algorithm)

    opened = [authority.algorithm for authority in open_authorities(tmp_path)]

    assert opened == ["mldsa65-ecdsa-p256", "ecdsa-p256", "mldsa65"]
    assert [one.algorithm for one in open_authorities(tmp_path, "mldsa65")] == ["mldsa65"]


def test_a_directory_without_authority_says_how_to_make_one(tmp_path):
    with pytest.raises(IdentityError, match="there is no authority") as error:
        open_authorities(tmp_path)

    assert error.value.fix == f"make one: pqproxy certs init --dir {tmp_path}"


def test_leaves_of_all_authorities_are_made_or_none(tmp_path):
    """Half of what was asked for would be taken for the whole."""
    roots = [make(tmp_path, algorithm) for algorithm in ("mldsa65-ecdsa-p256", "ecdsa-p256")]
    issue(roots[1], "llm", NAMES, now=pki.NOW)

    with pytest.raises(IdentityError, match=r"ecdsa-p256\.key exists"):
        issue_from(roots, "llm", NAMES, now=pki.NOW, options=LeafOptions())

    assert not leaf_files(tmp_path, "llm", "mldsa65-ecdsa-p256").key.exists()


def test_the_issuer_of_a_certificate_is_found_among_several(tmp_path):
    for algorithm in ("mldsa65", "ecdsa-p256"):
        root = make(tmp_path, algorithm)
    files = issue(root, "llm", NAMES, now=pki.NOW)
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())

    assert open_issuer(tmp_path, leaf, files.certificate).algorithm == "ecdsa-p256"


def test_a_stranger_has_no_issuer_here(tmp_path):
    make(tmp_path)
    stranger = pki.root().issue(dns=("a.test",)).certificate

    with pytest.raises(IdentityError, match=r"leaf\.crt was not signed .* but by CN=root"):
        open_issuer(tmp_path, stranger, tmp_path / "leaf.crt")


@pytest.mark.parametrize("algorithm", ["mldsa65-ecdsa-p256", "ecdsa-p256", "mldsa65"])
def test_a_certificate_that_only_names_an_authority_as_its_issuer_is_not_its(tmp_path, algorithm):
    """To renew one would be to certify whatever names somebody put there."""
    authority = create_authority(tmp_path, algorithm, now=pki.NOW)
    impostor = Issuer(authority.certificate, pki.key(algorithm, "impostor"))
    names = LeafNames.parse(("spiffe://corp/admin",))
    validity = Validity.starting(pki.NOW, 30)
    forged = build_leaf(pki.key(algorithm).public_key(), "llm", names, validity, impostor)

    with pytest.raises(IdentityError, match="does not verify"):
        open_issuer(tmp_path, forged, tmp_path / "leaf.crt")


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
