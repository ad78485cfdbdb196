import shutil
import subprocess
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.config.values import RevocationFile
from pqproxy.identity.authority import create_authority, issue
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.pem import read_certificates
from pqproxy.identity.revocation_lists import SERIAL_BYTES, read_revocation_lists
from pqproxy.identity.revoking import REASONS, is_revoked, list_path, read_list, refresh_due, revoke
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",))
OPENSSL = shutil.which("openssl")


@pytest.fixture(params=["mldsa65-ecdsa-p256", "ecdsa-p256"])
def authority(tmp_path, request):
    return create_authority(tmp_path, request.param, now=pki.NOW)


def test_what_is_revoked_stands_in_the_list_with_its_reason(authority):
    made = revoke(authority, [7], "key-compromise", now=pki.NOW)

    (entry,) = read_list(authority)
    assert entry.serial_number == 7
    assert entry.revocation_date_utc == pki.NOW
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.key_compromise
    assert (made.number, made.added, made.total) == (1, (7,), 1)


def test_no_reason_is_better_than_an_unspecified_one(authority):
    revoke(authority, [7], now=pki.NOW)

    (entry,) = read_list(authority)
    assert len(entry.extensions) == 0


def test_a_list_holds_what_the_one_before_held_under_the_next_number(authority):
    revoke(authority, [7], "superseded", now=pki.NOW)
    later = pki.NOW + timedelta(days=3)

    made = revoke(authority, [7, 8], "key-compromise", now=later, days=10)

    entries = {entry.serial_number: entry for entry in read_list(authority)}
    assert (made.number, made.added, sorted(entries)) == (2, (8,), [7, 8])
    assert entries[7].revocation_date_utc == pki.NOW
    assert read_list(authority).next_update_utc == later + timedelta(days=10)


def test_a_list_is_made_anew_without_revoking_anybody(authority):
    revoke(authority, [7], now=pki.NOW)

    made = revoke(authority, now=pki.NOW + timedelta(days=29))

    assert (made.number, made.added, made.total) == (2, (), 1)


def test_an_empty_list_counts_too(authority):
    """RFC 5280 section 5.2.3: numbers rise. Two lists of one number are told apart by nobody."""
    revoke(authority, now=pki.NOW)

    assert revoke(authority, now=pki.NOW).number == 2
    assert revoke(authority, [7], now=pki.NOW).number == 3


def test_it_is_known_who_is_revoked(authority):
    directory = authority.directory
    stays, goes = (
        read_certificates(issue(authority, name, NAMES, now=pki.NOW).certificate.read_bytes(), "")[
            0
        ]
        for name in ("stays", "goes")
    )
    assert not is_revoked(directory, goes)
    revoke(authority, [goes.serial_number], now=pki.NOW)

    assert is_revoked(directory, goes)
    assert not is_revoked(directory, stays)


def test_a_number_that_another_authority_revoked_says_nothing(authority):
    files = issue(authority, "llm", NAMES, now=pki.NOW)
    certificate = read_certificates(files.certificate.read_bytes(), "")[0]
    other = create_authority(authority.directory, "ecdsa-p384", now=pki.NOW)
    revoke(other, [certificate.serial_number], now=pki.NOW)

    assert not is_revoked(authority.directory, certificate)


def test_who_is_revoked_cannot_be_said_by_a_damaged_list(authority):
    files = issue(authority, "llm", NAMES, now=pki.NOW)
    list_path(authority.path).write_text("damaged")

    with pytest.raises(IdentityError, match="does not parse"):
        is_revoked(authority.directory, read_certificates(files.certificate.read_bytes(), "")[0])


def test_a_list_is_due_after_two_thirds_of_its_life(authority):
    revoke(authority, now=pki.NOW, days=30)

    due = refresh_due(read_list(authority))

    assert pki.NOW + timedelta(days=19) < due < pki.NOW + timedelta(days=21)


def test_a_list_of_somebody_else_is_not_signed_anew(authority, tmp_path):
    """It would take back every revocation, with our signature."""
    other = create_authority(tmp_path / "other", authority.algorithm, now=pki.NOW)
    revoke(other, [1], now=pki.NOW)
    shutil.copy(list_path(other.path), list_path(authority.path))

    with pytest.raises(IdentityError, match="is not a list of") as error:
        revoke(authority, [2], now=pki.NOW)

    assert "put back the list" in error.value.fix


def test_a_damaged_list_is_not_signed_anew(authority):
    revoke(authority, [7], now=pki.NOW)
    found = bytearray(read_list(authority).public_bytes(Encoding.DER))
    found[-1] ^= 1
    damaged = x509.load_der_x509_crl(bytes(found))
    list_path(authority.path).write_bytes(damaged.public_bytes(Encoding.PEM))

    with pytest.raises(IdentityError, match="does not verify"):
        revoke(authority, [8], now=pki.NOW)


def test_what_is_no_list_is_named(authority):
    list_path(authority.path).write_text("nothing")

    with pytest.raises(IdentityError, match=r"ca\.crl does not parse"):
        revoke(authority, [8], now=pki.NOW)


@pytest.mark.skipif(OPENSSL is None, reason="the system has no openssl")
@pytest.mark.parametrize("reason", REASONS)
def test_openssl_refuses_what_was_revoked_and_nothing_else(tmp_path, reason):
    root = create_authority(tmp_path, "ecdsa-p256", now=pki.NOW)
    bad, good = (issue(root, name, NAMES, now=pki.NOW).certificate for name in ("bad", "good"))
    serial = x509.load_pem_x509_certificate(bad.read_bytes()).serial_number
    revoke(root, [serial], reason, now=pki.NOW)

    def verify(path):
        when = str(int(pki.NOW.timestamp()))
        command = [
            OPENSSL, "verify", "-x509_strict", "-crl_check", "-attime", when,
            "-CAfile", root.path, "-CRLfile", list_path(root.path), path,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "certificate revoked" in verify(bad).stderr
    assert verify(good).returncode == 0


def test_our_own_readers_believe_the_list(authority):
    revoke(authority, [7, 8], now=pki.NOW)
    file = RevocationFile("ca.crl", list_path(authority.path).read_bytes())

    (read,) = read_revocation_lists([file], [authority.certificate])

    assert read.serials == b"".join(number.to_bytes(SERIAL_BYTES, "big") for number in (7, 8))
