from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from pqproxy.checking.certificates import check_certificates
from pqproxy.checking.findings import Level
from pqproxy.config.values import RevokedSerials
from pqproxy.crypto.keys import encode_private_key
from pqproxy.identity.revocation import Revocations
from tests.support import pki
from tests.support.ml_dsa_forms import expanded_pem
from tests.support.providers import provider_or_skip
from tests.unit.checking.subjects import SERVER, levels, only


def found(subject):
    return list(check_certificates(subject))


def test_an_identity_shows_its_name_and_its_end(place):
    finding = only(found(place.subject()), "identity")

    assert finding.level is Level.GOOD
    assert finding.message.startswith(f"identity server: {SERVER}, ecdsa-p256, ends 2045-01-01")


def test_a_certificate_that_ends_within_a_week_is_a_warning(place):
    place.identity("server", not_after=datetime.now(UTC) + timedelta(days=6))

    assert only(found(place.subject()), "identity").level is Level.WARNING


def test_a_certificate_that_ended_is_a_failure_with_its_fix(place):
    place.identity("server", not_after=pki.PAST)

    finding = only(found(place.subject()), "identity")

    assert finding.level is Level.FAILURE
    assert finding.hint == "renew the certificate, or check the clock"
    assert finding.message.startswith("identity server: ")
    assert "expired on 2021-01-01" in finding.message


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_that_every_user_may_read_is_a_warning(place, mode, told):
    """A group may: containers get their secrets like that."""
    (place.directory / "server.key").chmod(mode)

    assert ("key-file" in levels(found(place.subject()))) is told


@pytest.mark.parametrize("form", ["directory", "file"])
def test_the_key_is_found_where_only_the_certificate_is_named(place, form):
    leaf = place.root.issue(uris=(SERVER,), dns=("localhost",))
    (place.directory / "tls").mkdir()
    named = "tls" if form == "directory" else "both.pem"
    place.write("tls/tls.crt", leaf.certificate_pem)
    place.write("tls/tls.key", leaf.key_pem, 0o644)
    place.write("both.pem", leaf.key_pem + leaf.certificate_pem, 0o644)

    findings = found(place.whole(identities={"server": {"certificate": named}}))

    assert only(findings, "identity").level is Level.GOOD
    path = place.directory / ("tls/tls.key" if form == "directory" else "both.pem")
    assert only(findings, "key-file").hint.startswith(f"chmod o= {path}")


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o644, True)])
def test_a_passphrase_that_every_user_may_read_is_a_warning(place, mode, told):
    leaf = place.root.issue(uris=(SERVER,), dns=("localhost",))
    place.write("server.key", encode_private_key(leaf.key, b"correct horse"))
    place.write("passphrase", b"correct horse", mode)
    entry = {"certificate": "server.crt", "key": "server.key", "passphrase": {"file": "passphrase"}}

    findings = found(place.whole(identities={"server": entry}))

    assert only(findings, "identity").level is Level.GOOD
    assert ("passphrase-file" in levels(findings)) is told


def test_a_key_under_a_passphrase_that_is_guessed_fast_is_a_warning(place, monkeypatch):
    monkeypatch.setenv("PASS", "correct horse")
    leaf = place.root.issue(uris=(SERVER,), dns=("localhost",))
    old = leaf.key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"correct horse")
    )
    place.write("server.key", old)
    entry = {"certificate": "server.crt", "key": "server.key", "passphrase": "${PASS}"}

    findings = found(place.whole(identities={"server": entry}))

    assert only(findings, "identity").level is Level.GOOD
    assert only(findings, "key-form").hint.startswith("openssl pkcs8 -topk8")


def test_an_expanded_key_is_named_with_what_signs(place):
    provider_or_skip("liboqs")
    leaf = place.identity("server", uris=(SERVER,), algorithm="mldsa65")
    place.write("server.key", expanded_pem(leaf.key))

    finding = only(found(place.subject()), "identity")

    assert finding.level is Level.GOOD
    assert "mldsa65 (an expanded key, signed with by liboqs), ends" in finding.message


def test_an_encrypted_key_is_opened_or_named(place, monkeypatch):
    monkeypatch.setenv("PASS", "correct horse")
    leaf = place.root.issue(uris=(SERVER,), dns=("localhost",))
    place.write("server.key", encode_private_key(leaf.key, b"correct horse"))
    entry = {"certificate": "server.crt", "key": "server.key"}

    opened = found(place.whole(identities={"server": {**entry, "passphrase": "${PASS}"}}))
    closed = found(place.whole(identities={"server": entry}))

    assert only(opened, "identity").level is Level.GOOD
    assert only(closed, "identity").level is Level.FAILURE
    assert only(closed, "identity").message.endswith("encrypted, and no passphrase is given")
    assert only(closed, "identity").hint.startswith("give one (passphrase: in a configuration")


@pytest.mark.parametrize(
    ("ends", "level"),
    [(pki.PAST, Level.FAILURE), (None, Level.GOOD)],
)
def test_roots_that_have_ended_are_a_failure(place, ends, level):
    changes = {} if ends is None else {"not_after": ends}
    place.write("root.crt", pki.root("ecdsa-p256", **changes).certificate_pem)

    assert only(found(place.subject()), "trust").level is level


def test_a_file_that_is_mounted_by_itself_is_a_warning_with_its_fix(place, monkeypatch):
    """A `subPath` shows the certificate of the start for ever."""
    monkeypatch.setattr("pqproxy.checking.certificates.mounted_alone", lambda files: files[:1])
    finding = only(found(place.subject()), "mount")

    assert finding.level is Level.WARNING
    assert "server.crt is mounted by itself (subPath)" in finding.message
    assert finding.hint == "mount the directory that holds it"


def test_a_root_that_is_none_is_a_failure(place):
    place.write("root.crt", place.root.issue().certificate_pem)

    finding = only(found(place.subject()), "trust")

    assert finding.level is Level.FAILURE
    assert "is not the certificate of an authority" in finding.message


@pytest.mark.parametrize(
    ("due", "level", "said"),
    [
        (pki.NOT_AFTER, Level.GOOD, "CN=root revoked 2; the next list is due in"),
        (pki.PAST, Level.WARNING, "a newer list was due on 2021-01-01 00:00 UTC: this one counts"),
    ],
)
def test_a_revocation_list_shows_how_old_it_may_be(place, due, level, said):
    place.write("root.crl", place.root.revoke(1, 2, next_update=due).public_bytes(Encoding.DER))
    trust = {"mesh": {"roots": ["root.crt"], "crl": ["root.crl"]}}

    finding = only(found(place.whole(trust=trust)), "crl")

    assert finding.level is level
    assert said in finding.message


def test_a_revocation_list_of_strangers_is_a_failure(place):
    stranger = pki.root(name="stranger").revoke()
    place.write("root.crl", stranger.public_bytes(Encoding.DER))
    trust = {"mesh": {"roots": ["root.crt"], "crl": ["root.crl"]}}

    finding = only(found(place.whole(trust=trust)), "trust")

    assert finding.level is Level.FAILURE
    assert "is signed by CN=stranger" in finding.message


def test_a_list_without_an_end_is_told_to_have_none(place):
    """The field is optional (RFC 5280 §5.1.2.5): nobody will ever be warned."""
    subject = place.subject()
    endless = Revocations((RevokedSerials("CN=root", b"issuer", bytes(20), None),))
    trust = {"mesh": replace(subject.trust["mesh"], revocations=endless)}

    finding = only(found(replace(subject, trust=trust)), "crl")

    assert (
        finding.message == "trust mesh: CN=root revoked 1; its list never says when the next is due"
    )
