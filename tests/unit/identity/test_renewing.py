from datetime import timedelta

import pytest
from cryptography import x509

from pqproxy.crypto.keys import load_private_key
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.authority import LeafOptions, create_authority, issue_from
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.leaves import find_leaves
from pqproxy.identity.names import read_names
from pqproxy.identity.renewing import RenewalOptions, renew, renewal_due, two_thirds
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",), ("llm.test",), ("10.0.0.7",))
LATER = pki.NOW + timedelta(days=20)


@pytest.fixture
def directory(tmp_path):
    algorithms = ("mldsa65-ecdsa-p256", "ecdsa-p256")
    roots = [create_authority(tmp_path, one, now=pki.NOW, days=400) for one in algorithms]
    issue_from(roots, "llm", NAMES, now=pki.NOW, options=LeafOptions(30))
    return tmp_path


def pairs(directory):
    """Each certificate, and whether the key beside it is its own."""
    return {
        leaf.algorithm: (
            leaf.certificate,
            load_private_key(leaf.files.key.read_bytes()).public_key()
            == certificate_key(leaf.certificate),
        )
        for leaf in find_leaves(directory, "llm")
    }


def test_new_certificates_have_the_old_names_and_new_keys(directory):
    before = find_leaves(directory, "llm")

    made = renew(directory, before, now=LATER)

    for leaf, new in zip(before, made, strict=True):
        assert read_names(new) == read_names(leaf.certificate)
        assert certificate_key(new) != certificate_key(leaf.certificate)
        assert new.serial_number != leaf.certificate.serial_number
    assert [pairs(directory)[leaf.algorithm] for leaf in before] == [(new, True) for new in made]


def test_a_new_certificate_lives_as_long_as_the_old_one(directory):
    made = renew(directory, find_leaves(directory, "llm"), now=LATER)

    assert {new.not_valid_after_utc for new in made} == {LATER + timedelta(days=30)}


def test_another_lifetime_can_be_asked_for(directory):
    options = RenewalOptions(days=5)

    made = renew(directory, find_leaves(directory, "llm"), now=LATER, options=options)

    assert {new.not_valid_after_utc for new in made} == {LATER + timedelta(days=5)}


def test_a_key_can_be_kept(directory):
    """Then a certificate that is carried to another machine fits the key there."""
    before = find_leaves(directory, "llm", "ecdsa-p256")

    (new,) = renew(directory, before, now=LATER, options=RenewalOptions(keep_key=True))

    assert certificate_key(new) == certificate_key(before[0].certificate)
    assert pairs(directory)["ecdsa-p256"] == (new, True)


def test_a_certificate_is_due_after_two_thirds_and_a_little_of_its_own(directory):
    (leaf, other) = (leaf.certificate for leaf in find_leaves(directory, "llm"))
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc

    for certificate in (leaf, other):
        begins = certificate.not_valid_before_utc
        assert two_thirds(certificate) == begins + lifetime * 2 / 3
        little = renewal_due(certificate) - two_thirds(certificate)
        assert timedelta(0) <= little < lifetime / 30
    assert renewal_due(leaf) == renewal_due(leaf)


def test_a_pair_that_does_not_fit_is_not_renewed_over(directory):
    key = find_leaves(directory, "llm", "ecdsa-p256")[0].files.key
    key.write_bytes(pki.root().issue(dns=("a.test",)).key_pem)

    with pytest.raises(IdentityError, match=r"ecdsa-p256\.key does not belong to"):
        renew(directory, find_leaves(directory, "llm"), now=LATER)


def test_all_of_a_name_are_renewed_or_none(directory):
    before = pairs(directory)
    (directory / "ca" / "ecdsa-p256" / "ca.key").unlink()

    with pytest.raises(IdentityError, match=r"ca\.key"):
        renew(directory, find_leaves(directory, "llm"), now=LATER)

    assert pairs(directory) == before


def test_a_key_on_another_machine_is_renewed_there(directory):
    find_leaves(directory, "llm", "ecdsa-p256")[0].files.key.unlink()

    with pytest.raises(IdentityError, match="is on another machine") as error:
        renew(directory, find_leaves(directory, "llm"), now=LATER)

    assert "pqproxy certs csr llm --keep-key" in error.value.fix


def test_a_renewal_that_gains_nothing_is_refused(directory):
    """An authority at its end signs nothing that outlives it: somebody has to act."""
    at_the_end = pki.NOW + timedelta(days=390)
    renew(directory, find_leaves(directory, "llm"), now=at_the_end)

    with pytest.raises(IdentityError, match="ends with its authority") as error:
        renew(directory, find_leaves(directory, "llm"), now=at_the_end + timedelta(days=1))

    assert "pqproxy certs bundle" in error.value.fix


def test_a_kind_of_key_that_is_not_made_here_can_only_be_kept(directory):
    (leaf,) = find_leaves(directory, "llm", "ecdsa-p256")
    for path in (leaf.files.certificate, leaf.files.key):
        path.rename(path.with_stem("rsa-3072"))
    renamed = find_leaves(directory, "llm", "rsa-3072")

    with pytest.raises(IdentityError, match="are not made here") as error:
        renew(directory, renamed, now=LATER)
    assert "--keep-key" in error.value.fix

    (new,) = renew(directory, renamed, now=LATER, options=RenewalOptions(keep_key=True))
    assert isinstance(new, x509.Certificate)
