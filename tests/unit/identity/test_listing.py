from datetime import timedelta

import pytest

from pqproxy.crypto.keys import encode_private_key
from pqproxy.identity.authority import create_authority, issue
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.listing import list_directory, list_file
from pqproxy.identity.requests import build_request
from pqproxy.identity.revoking import list_path, revoke
from tests.support import pki
from tests.support.ml_dsa_forms import expanded_pem
from tests.support.providers import provider_or_skip


@pytest.fixture
def directory(tmp_path):
    root = create_authority(tmp_path, "rsa-2048", now=pki.NOW, trust_domain="corp")
    names = LeafNames.parse(("spiffe://corp/llm",), ("llm.test",), ("10.0.0.7",))
    issue(root, "llm", names, now=pki.NOW, days=10)
    return tmp_path


def test_a_directory_is_listed_authorities_first(directory):
    root, leaf = list_directory(directory, pki.NOW)

    assert (root.kind, root.algorithm, root.names) == ("authority", "rsa-2048", ("spiffe://corp",))
    assert (leaf.kind, leaf.algorithm) == ("leaf", "rsa-2048")
    assert leaf.names == ("spiffe://corp/llm", "llm.test", "10.0.0.7")
    assert leaf.issuer == root.subject
    assert leaf.file == str(directory / "leaf" / "llm" / "rsa-2048.crt")
    assert leaf.not_after == "2027-01-11T00:00:00+00:00"


@pytest.mark.parametrize(("days", "left"), [(0, 10), (9, 1), (10, 0), (11, -1)])
def test_what_is_left_is_counted_in_whole_days_below_zero_when_expired(directory, days, left):
    _, leaf = list_directory(directory, pki.NOW + timedelta(days=days))

    assert leaf.days_left == left


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda key: None, "present"),
        (lambda key: key.chmod(0o640), "exposed"),
        (lambda key: key.chmod(0o604), "exposed"),
        (lambda key: key.unlink(), "absent"),
        (lambda key: key.write_bytes(pki.root().issue().key_pem), "mismatched"),
        (lambda key: key.write_bytes(b"garbage"), "unusable"),
        (
            lambda key: key.write_bytes(encode_private_key(pki.key("ecdsa-p256"), b"secret")),
            "encrypted",
        ),
    ],
    ids=["untouched", "group", "others", "removed", "other", "damaged", "encrypted"],
)
def test_what_is_wrong_with_a_key_is_noticed(directory, change, state):
    change(directory / "leaf" / "llm" / "rsa-2048.key")

    assert list_directory(directory, pki.NOW)[1].key == state


@pytest.mark.parametrize("whose", ["leaf", "other"])
def test_an_ml_dsa_key_without_its_seed_is_named(tmp_path, whose):
    """It serves where liboqs is, and there only."""
    provider_or_skip("liboqs")
    leaf = pki.root("mldsa65").issue(dns=("a.test",))
    certificate, key = leaf.write(tmp_path)
    key.write_bytes(expanded_pem(leaf.key if whose == "leaf" else pki.key("mldsa65", "other")))

    (listed,) = list_file(certificate, pki.NOW)

    assert listed.key == ("expanded" if whose == "leaf" else "mismatched")


@pytest.mark.parametrize(("mode", "state"), [(0o600, "present"), (0o644, "exposed")])
def test_a_bundle_holds_the_key_of_its_leaf_and_of_nobody_else(directory, mode, state):
    bundle = directory / "client.pem"
    parts = ("leaf/llm/rsa-2048.crt", "leaf/llm/rsa-2048.key", "ca/rsa-2048/ca.crt")
    bundle.write_text("".join((directory / part).read_text() for part in parts))
    bundle.chmod(mode)

    listed = list_file(bundle, pki.NOW)

    assert [(one.kind, one.key) for one in listed] == [("leaf", state), ("authority", "absent")]


def test_every_certificate_of_a_file_is_listed(tmp_path):
    leaf = pki.root().intermediate().issue(dns=("a.test",))
    certificate, _ = leaf.write(tmp_path)

    listed = list_file(certificate, pki.NOW)

    assert [(entry.subject, entry.kind) for entry in listed] == [
        ("CN=leaf", "leaf"),
        ("CN=intermediate", "authority"),
    ]


def test_an_empty_directory_says_how_to_begin(tmp_path):
    with pytest.raises(IdentityError, match="there are no certificates") as error:
        list_directory(tmp_path, pki.NOW)

    assert error.value.fix == f"make an authority: pqproxy certs init --dir {tmp_path}"


@pytest.fixture
def revoked(tmp_path):
    root = create_authority(tmp_path, "mldsa65-ecdsa-p256", now=pki.NOW)
    revoke(root, [171], "key-compromise", now=pki.NOW, days=10)
    return list_path(root.path)


def test_a_revocation_list_is_described_beside_its_authority(tmp_path, revoked):
    _, found = list_directory(tmp_path, pki.NOW + timedelta(days=2))

    assert (found.kind, found.number, found.days_left) == ("revocation list", 1, 8)
    assert found.signature == "good"
    (entry,) = found.revoked
    assert (entry.serial, entry.reason) == ("ab", "key-compromise")
    assert entry.since == "2027-01-01T00:00:00+00:00"


def test_a_list_that_somebody_else_signed_is_noticed(tmp_path, revoked):
    other = create_authority(tmp_path / "other", "mldsa65-ecdsa-p256", now=pki.NOW)
    revoked.with_suffix(".crt").write_bytes(other.path.read_bytes())
    alone = tmp_path / "alone.crl"
    alone.write_bytes(revoked.read_bytes())

    assert list_file(revoked, pki.NOW)[0].signature == "bad"
    assert list_file(alone, pki.NOW)[0].signature == "unchecked"


def test_requests_are_described(tmp_path):
    path = tmp_path / "llm.csr"
    path.write_bytes(build_request(pki.key("mldsa65-ed25519"), "llm", LeafNames(dns=("a.test",))))

    (found,) = list_file(path, pki.NOW)

    assert (found.kind, found.algorithm) == ("request", "mldsa65-ed25519")
    assert (found.names, found.not_taken) == (("a.test",), ("subject CN=llm",))


@pytest.mark.parametrize("label", ["X509 CRL", "CERTIFICATE REQUEST", "CERTIFICATE"])
def test_what_does_not_parse_is_named(tmp_path, label):
    path = tmp_path / "file.pem"
    path.write_text(f"-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n")

    with pytest.raises(IdentityError, match=r"file\.pem"):
        list_file(path, pki.NOW)
