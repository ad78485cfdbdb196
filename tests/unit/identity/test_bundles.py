import pytest
from cryptography import x509

from pqproxy.identity.bundles import change_bundle, fingerprint
from pqproxy.identity.errors import IdentityError
from tests.support import pki


@pytest.fixture
def old(tmp_path):
    return pki.root().write(tmp_path, "old")


@pytest.fixture
def new(tmp_path):
    return pki.root("ecdsa-p384", "new root").write(tmp_path, "new")


@pytest.fixture
def bundle(tmp_path):
    return tmp_path / "shared" / "roots.pem"


def held(path):
    return x509.load_pem_x509_certificates(path.read_bytes())


def test_a_roll_over_adds_the_new_root_before_the_old_one_goes(bundle, old, new):
    change_bundle(bundle, [old], [])
    both = change_bundle(bundle, [new], [])
    after = change_bundle(bundle, [], [str(old)])

    (first,), (second,) = held(old), held(new)
    assert (both.roots, both.added) == ((first, second), (second,))
    assert (after.roots, after.retired) == ((second,), (first,))
    assert held(bundle) == [second]


def test_a_root_that_is_there_is_not_added_twice(bundle, old):
    change_bundle(bundle, [old], [])
    before = bundle.stat()

    change = change_bundle(bundle, [old, old], [])

    assert change.added == ()
    assert bundle.stat().st_ino == before.st_ino  # not even written anew


def test_a_root_can_be_named_by_the_beginning_of_its_sha256(bundle, old, new):
    change_bundle(bundle, [old, new], [])
    name = fingerprint(held(old)[0])

    change = change_bundle(bundle, [], [f"{name[:4]}:{name[4:10]}".upper()])

    assert change.retired == tuple(held(old))


@pytest.mark.parametrize("named", ["0123456789", "file"])
def test_what_is_not_in_the_bundle_cannot_be_retired(bundle, old, new, named):
    change_bundle(bundle, [old], [])

    with pytest.raises(IdentityError, match="does not hold"):
        change_bundle(bundle, [], [str(new) if named == "file" else named])

    assert held(bundle) == held(old)


def test_the_last_root_stays(bundle, old):
    """An empty bundle believes nobody, and pqproxy would not start with it."""
    change_bundle(bundle, [old], [])

    with pytest.raises(IdentityError, match="would hold no root any more") as error:
        change_bundle(bundle, [], [str(old)])

    assert error.value.fix == "add the root that takes over first: --add FILE"


def test_a_bundle_of_nothing_is_not_made(bundle):
    with pytest.raises(IdentityError, match="would hold no root"):
        change_bundle(bundle, [], [])

    assert not bundle.exists()


def test_what_is_no_root_is_refused_by_name(bundle, tmp_path, old):
    leaf, key = pki.root().issue(dns=("a.test",)).write(tmp_path)

    with pytest.raises(IdentityError, match=r"leaf\.crt.* is not the certificate of an authority"):
        change_bundle(bundle, [leaf], [])
    with pytest.raises(IdentityError, match=r"leaf\.key.* private key"):
        change_bundle(bundle, [key], [])

    assert not bundle.exists()
