from datetime import timedelta

import pytest

from pqproxy.identity.authority import create_authority, issue
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.listing import list_directory, list_file
from tests.support import pki


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
    ],
    ids=["untouched", "group", "others", "removed"],
)
def test_keys_that_others_can_read_are_noticed(directory, change, state):
    change(directory / "leaf" / "llm" / "rsa-2048.key")

    assert list_directory(directory, pki.NOW)[1].key == state


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
