import io
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.cli import main as cli
from pqproxy.crypto.x509_signing import sign_revocation_list
from pqproxy.probing.lines import Mark
from pqproxy.signing import Authentication, sign
from pqproxy.signing.envelope import Envelope
from tests.support import pki

HYBRID = "mldsa65-ecdsa-p256"
NAME = "spiffe://corp/publisher"
GOOD, BAD = (mark.value[0] for mark in (Mark.GOOD, Mark.BAD))
LEAF = pki.root(HYBRID).issue(uris=(NAME,))


def signature(content, leaf=LEAF):
    return sign(content, leaf.key, leaf.chain_der, authentication=Authentication.ANY, at=pki.NOW)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with a signed model, and the root of who signed it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").write_bytes(b"weights")
    (tmp_path / "model.pqsig").write_bytes(signature(b"weights"))
    pki.root(HYBRID).write(tmp_path)
    return tmp_path


def verify(*arguments, file="model", expect=NAME, trust="ca.crt"):
    return cli.main(["verify", file, "--trust", trust, "--expect", expect, *arguments])


def test_a_good_signature_is_told_check_by_check(place, capsys):
    assert verify() == 0

    out = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=2)[:2] for line in out[:-1]] == [
        ["√", "format"],
        ["√", "signature"],
        ["√", "signature"],
        ["√", "certificate"],
        ["√", "authentication"],
        ["√", "identity"],
        ["√", "content"],
    ]
    assert out[1].endswith("ML-DSA-65 verifies")
    assert out[2].endswith("ECDSA-P256-SHA256 verifies")
    assert out[-1] == (f"√ model: signed by {NAME}, 2027-01-01 00:00:00 UTC by its own account")


def test_each_half_is_reported_apart(place, capsys):
    envelope = Envelope.read(signature(b"weights"))
    made = bytearray(envelope.signature)
    made[-1] ^= 1
    (place / "model.pqsig").write_bytes(replace(envelope, signature=bytes(made)).write())

    assert verify() == 3
    out = capsys.readouterr().out
    assert f"{GOOD} signature       ML-DSA-65 verifies" in out
    assert f"{BAD} signature       ECDSA-P256-SHA256 does not verify" in out
    assert out.splitlines()[-1] == f"{BAD} model: not verified"


def test_other_content_is_a_negative_verdict(place, capsys):
    (place / "model").write_bytes(b"Weights")

    assert verify() == 3
    assert f"{BAD} content" in capsys.readouterr().out


def test_programs_get_every_finding(place, capsys):
    assert verify("-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["good"] is True
    assert found["signer"] == NAME
    assert found["statement"]["size"] == 7
    assert found["statement"]["time"] == "2027-01-01T00:00:00+00:00"
    assert {each["check"] for each in found["findings"]} == {
        "format", "signature", "certificate", "authentication", "identity", "content",
    }  # fmt: skip

    (place / "model.pqsig").write_bytes(b"garbage")
    assert verify("-o", "json") == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["good"], found["signer"], found["statement"]) == (False, None, None)
    assert found["findings"][0]["check"] == "format"


def test_who_is_not_expected_is_a_negative_verdict_with_a_hint(place, capsys):
    assert verify(expect="spiffe://corp/other") == 3
    assert f"hint: add {NAME} to expect" in capsys.readouterr().out
    assert verify("--expect", NAME, expect="spiffe://corp/other") == 0


def test_weaker_signatures_are_good_only_when_that_is_said(place, capsys):
    weaker = pki.root("ecdsa-p256").issue(uris=(NAME,))
    (place / "model.pqsig").write_bytes(signature(b"weights", weaker))
    pki.root("ecdsa-p256").write(place)

    assert verify() == 3
    assert verify("--authentication", "post-quantum") == 3
    assert verify("--authentication", "any") == 0


def test_standard_input_needs_to_be_told_where_its_signature_is(place, capsys, monkeypatch):
    assert verify(file="-") == 2
    assert "give --signature FILE" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"weights")))
    assert verify("--signature", "model.pqsig", file="-") == 0


def test_a_certificate_may_be_judged_at_another_time(place, capsys):
    short = pki.root(HYBRID).issue(uris=(NAME,), not_after=pki.PAST)
    (place / "model.pqsig").write_bytes(signature(b"weights", short))

    assert verify() == 3
    assert verify("--at", "2020-06-01") == 0
    assert verify("--at", "2020-06-01T12:00:00Z") == 0
    assert verify("--at", "2021-06-01T12:00:00+02:00") == 3
    assert verify("--at", "0001-01-01T00:00:00+14:00") == 2
    assert verify("--at", "yesterday") == 2
    assert "yesterday is no time such as" in capsys.readouterr().err


def test_a_revoked_signer_is_a_negative_verdict(place, capsys):
    root = pki.root(HYBRID)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    revoked = (
        x509.RevokedCertificateBuilder()
        .serial_number(LEAF.certificates[0].serial_number)
        .revocation_date(now)
        .build()
    )
    listed = sign_revocation_list(
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(now)
        .next_update(pki.NOT_AFTER)
        .add_revoked_certificate(revoked),
        root.key,
    )
    (place / "ca.crl").write_bytes(listed.public_bytes(Encoding.PEM))

    assert verify("--crl", "ca.crl") == 3
    assert "revoked" in capsys.readouterr().out
    assert verify("--crl", "missing.crl") == 2


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"file": "missing"}, 1, "cannot read the signature missing.pqsig"),
        ({"trust": "missing"}, 2, "--trust: there is no missing"),
        ({"trust": "model"}, 2, "--trust"),
        ({"expect": "*"}, 2, "--expect: identity pattern '*'"),
        ({"file": "."}, 2, ". is a directory"),
    ],
)
def test_what_cannot_be_used_is_named(place, capsys, change, code, said):
    assert verify(**change) == code
    assert said in capsys.readouterr().err


def test_a_missing_file_is_no_verdict(place, capsys):
    (place / "model").unlink()
    assert verify() == 1
    assert "cannot read model: No such file" in capsys.readouterr().err


def test_somebody_must_be_expected(place, capsys):
    """Any workload of a mesh has a certificate of its root: that alone makes nobody a publisher."""
    assert cli.main(["verify", "model", "--trust", "ca.crt"]) == 2
    assert "--expect" in capsys.readouterr().err
