from datetime import timedelta

import pytest
from cryptography import x509

from pqproxy.identity.authority import LeafOptions, create_authority, issue_from
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.leaves import find_leaves
from pqproxy.identity.renewing import renewal_due
from pqproxy.identity.revoking import list_path, revoke
from pqproxy.identity.upkeep import LOOK_AGAIN, Upkeep
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",))
FRESH = pki.NOW + timedelta(days=10)
DUE = pki.NOW + timedelta(days=25)


@pytest.fixture
def roots(tmp_path):
    algorithms = ("mldsa65-ecdsa-p256", "ecdsa-p256")
    return [create_authority(tmp_path, one, now=pki.NOW) for one in algorithms]


@pytest.fixture
def directory(tmp_path, roots):
    issue_from(roots, "llm", NAMES, now=pki.NOW, options=LeafOptions(30))
    return tmp_path


def certificates(directory, name="llm"):
    return [leaf.certificate for leaf in find_leaves(directory, name)]


def test_nothing_is_done_before_it_is_due(directory):
    before = certificates(directory)

    assert Upkeep(directory).turn(FRESH) == ([], FRESH + LOOK_AGAIN)
    assert certificates(directory) == before


def test_all_leaves_of_a_name_are_renewed_when_the_first_is_due(directory):
    """One change, one reload."""
    before = certificates(directory)
    first = min(map(renewal_due, before))

    done, _ = Upkeep(directory).turn(first)

    after = certificates(directory)
    assert not set(before) & set(after)
    assert [(one.what, one.error) for one in done] == [("llm", None)]
    assert done[0].due == min(map(renewal_due, after))


def test_it_looks_again_when_the_next_one_is_due(directory):
    due = min(map(renewal_due, certificates(directory)))
    shortly_before = due - timedelta(minutes=5)

    assert Upkeep(directory).turn(shortly_before) == ([], due)


def test_what_fails_is_tried_again_later_and_later_and_keeps_nothing_else_back(directory, roots):
    issue_from(roots, "app", NAMES, now=pki.NOW, options=LeafOptions(30))
    find_leaves(directory, "llm")[0].files.key.write_text("damaged")
    upkeep, now, waits = Upkeep(directory), DUE, []

    done, now = upkeep.turn(DUE)
    assert [(one.what, one.error is None) for one in done] == [("app", True), ("llm", False)]
    for _ in range(8):
        (failed,), due = upkeep.turn(now)
        assert due == failed.due
        waits.append((due - now).total_seconds())
        now = due

    assert waits == [120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_between_the_tries_nothing_is_tried(directory):
    find_leaves(directory, "llm")[0].files.key.write_text("damaged")
    upkeep = Upkeep(directory)
    _, due = upkeep.turn(DUE)

    assert upkeep.turn(due - timedelta(seconds=30)) == ([], due)


def test_what_failed_and_was_repaired_is_renewed(directory):
    key = find_leaves(directory, "llm")[0].files.key
    good = key.read_bytes()
    key.write_text("damaged")
    upkeep = Upkeep(directory)
    _, due = upkeep.turn(DUE)
    key.write_bytes(good)

    ((done,), _) = upkeep.turn(due)

    assert done.error is None


def test_leaves_that_are_made_meanwhile_are_noticed(directory, roots):
    upkeep = Upkeep(directory)
    upkeep.turn(FRESH)
    issue_from(roots, "app", NAMES, now=pki.NOW, options=LeafOptions(12))

    done, _ = upkeep.turn(FRESH + LOOK_AGAIN)

    assert [one.what for one in done] == ["app"]


def test_only_the_names_that_were_given_are_looked_after(directory, roots):
    issue_from(roots, "app", NAMES, now=pki.NOW, options=LeafOptions(30))

    done, _ = Upkeep(directory, ("app",)).turn(DUE)

    assert [one.what for one in done] == ["app"]


def test_what_was_signed_for_another_machine_is_left_to_it(directory):
    for leaf in find_leaves(directory, "llm"):
        leaf.files.key.unlink()

    assert Upkeep(directory).turn(DUE)[0] == []


@pytest.mark.parametrize("names", [(), ("llm",)])
def test_who_is_revoked_is_not_let_back_in(directory, roots, names):
    """A new certificate of the same name would be on no list."""
    before = certificates(directory)
    composite, standard = before
    revoke(roots[0], [composite.serial_number], now=FRESH)

    Upkeep(directory, names).turn(DUE)

    assert certificates(directory)[0] == composite
    assert certificates(directory)[1] != standard


def test_revocation_lists_are_made_anew_too(directory, roots):
    """A list that runs out is no list: peers would be told nothing, or nobody let in."""
    for root in roots:
        revoke(root, [7], now=FRESH, days=15)

    done, _ = Upkeep(directory).turn(FRESH + timedelta(days=11))

    lists = [str(list_path(root.path)) for root in roots]
    assert [one.what for one in done if one.what in lists] == lists
    for root in roots:
        made = x509.load_pem_x509_crl(list_path(root.path).read_bytes())
        assert made.get_revoked_certificate_by_serial_number(7)
        assert made.next_update_utc == FRESH + timedelta(days=26)


def test_a_directory_that_is_gone_for_a_moment_is_told_and_ends_nothing(directory, monkeypatch):
    """It may be a mount."""

    def gone(*_):
        raise OSError(5, "Input/output error")

    upkeep = Upkeep(directory, ("llm",))
    with monkeypatch.context() as broken:
        broken.setattr("pqproxy.identity.upkeep.find_leaves", gone)
        ((failed,), due) = upkeep.turn(DUE)
    ((done,), _) = upkeep.turn(due)

    assert "Input/output error" in str(failed.error)
    assert done.error is None


def test_a_damaged_list_is_told_and_left_alone(directory, roots):
    path = list_path(roots[0].path)
    path.write_text("damaged")

    ((failed,), _) = Upkeep(directory).turn(FRESH)

    assert (failed.what, path.read_text()) == (str(path), "damaged")
    assert "does not parse" in str(failed.error)
