import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pqproxy.identity.authority import LeafOptions, create_authority, issue, issue_from
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.leaves import (
    Leaf,
    LeafFiles,
    certified_names,
    earlier_leaves,
    file_algorithm,
    find_leaves,
    leaf_files,
    leaf_names,
)
from pqproxy.identity.renewing import renew
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",))


@pytest.fixture
def directory(tmp_path):
    algorithms = ("ecdsa-p256", "mldsa65-ecdsa-p256")
    roots = [create_authority(tmp_path, algorithm, now=pki.NOW) for algorithm in algorithms]
    issue_from(roots, "llm", NAMES, now=pki.NOW, options=LeafOptions())
    issue(roots[0], "app", NAMES, now=pki.NOW)
    return tmp_path


def test_all_leaves_of_a_name_are_found_hybrid_first(directory):
    found = [leaf.algorithm for leaf in find_leaves(directory, "llm")]

    assert found == ["mldsa65-ecdsa-p256", "ecdsa-p256"]


def test_one_leaf_is_found_by_its_algorithm(directory):
    (leaf,) = find_leaves(directory, "llm", "ecdsa-p256")

    assert leaf.files == leaf_files(directory, "llm", "ecdsa-p256")


def test_what_is_not_there_is_said_with_how_to_make_it(directory):
    with pytest.raises(IdentityError, match="there is no mldsa65 certificate of app") as error:
        find_leaves(directory, "app", "mldsa65")

    assert error.value.fix == (
        f"issue it: pqproxy certs issue app --dir {directory} --algorithm mldsa65"
    )


def test_the_names_of_leaves_are_listed(directory):
    assert leaf_names(directory) == ("app", "llm")


def test_what_a_leaf_was_before_is_remembered_once(directory):
    before = find_leaves(directory, "app")
    assert list(earlier_leaves(directory, "app")) == []

    renew(directory, before, now=pki.NOW)

    assert [leaf.certificate for leaf in earlier_leaves(directory, "app")] == [
        before[0].certificate
    ]


def test_keys_of_rsa_are_called_by_their_bits():
    key = rsa.generate_private_key(65537, 2048)

    assert file_algorithm(key) == file_algorithm(key.public_key()) == "rsa-2048"


def test_the_names_of_a_leaf_are_those_it_was_issued_with(directory):
    assert certified_names(find_leaves(directory, "llm")[0]) == NAMES


def test_names_that_could_not_be_issued_again_are_told_with_their_file(tmp_path):
    path, _ = pki.root().issue(uris=("https://a.test",)).write(tmp_path)
    leaf = Leaf("llm", "ecdsa-p256", LeafFiles(path, path), (pki.root().issue().certificate,))

    with pytest.raises(IdentityError, match=r"leaf\.crt: a certificate needs a name"):
        certified_names(leaf)
