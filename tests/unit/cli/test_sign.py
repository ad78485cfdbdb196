import io
import json
import sys

import pytest

from pqproxy.cli import main as cli
from pqproxy.crypto.keys import encode_private_key
from pqproxy.signing.envelope import Envelope
from tests.support import pki

HYBRID = "mldsa65-ecdsa-p256"
NAME = "spiffe://corp/publisher"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with a model, and an identity beside its key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PQPROXY_PASSPHRASE", raising=False)
    (tmp_path / "model").write_bytes(b"weights")
    pki.root(HYBRID).issue(uris=(NAME,)).write(tmp_path, "publisher")
    return tmp_path


def sign(*arguments, file="model", identity="publisher.crt"):
    return cli.main(["sign", file, "--identity", str(identity), *arguments])


def envelope(path):
    return Envelope.read(path.read_bytes())


def test_a_signature_is_written_beside_the_file_and_told(place, capsys):
    assert sign() == 0

    out = capsys.readouterr().out.splitlines()
    assert out[0] == "signature  model.pqsig"
    assert out[1] == f"signer     {NAME}"
    assert out[2] == "algorithm  MLDSA65-ECDSA-P256-SHA512"
    assert out[3].startswith("content    7 bytes, SHA-512 ")
    assert envelope(place / "model.pqsig").statement.size == 7
    assert (place / "model").read_bytes() == b"weights"
    assert not list(place.glob(".*")), "nothing is left behind"


def test_programs_get_the_same_as_json(place, capsys):
    assert sign("-o", "json") == 0

    found = json.loads(capsys.readouterr().out)
    statement = envelope(place / "model.pqsig").statement
    assert found == {
        "file": "model",
        "signature": "model.pqsig",
        "signer": NAME,
        "algorithm": statement.algorithm,
        "size": 7,
        "sha512": statement.content.hex(),
        "time": statement.time.isoformat(),
    }


def test_a_signature_that_is_there_is_overwritten_only_when_that_is_said(place, capsys):
    target = place / "model.pqsig"
    target.write_bytes(b"precious")

    assert sign() == 1
    assert "hint: --force overwrites it" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"
    assert sign("--force") == 0
    assert envelope(target).statement.size == 7
    assert sorted(each.name for each in place.iterdir()) == [
        "model",
        "model.pqsig",
        "publisher.crt",
        "publisher.key",
    ]


def test_an_existing_signature_is_found_before_anything_is_read(place):
    (place / "model.pqsig").write_bytes(b"precious")
    (place / "publisher.crt").unlink()

    assert sign() == 1


def test_standard_input_is_signed_to_standard_output(place, monkeypatch, capsysbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))

    assert sign(file="-") == 0
    assert Envelope.read(capsysbinary.readouterr().out).statement.size == 5


def test_standard_input_is_signed_to_a_file(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))

    assert sign("--signature", "s", file="-") == 0
    assert envelope(place / "s").statement.size == 5


def test_standard_output_is_not_written_twice(place, capsys):
    assert sign("-o", "json", file="-") == 2
    assert "standard output is where the signature goes" in capsys.readouterr().err


def test_the_key_may_lie_elsewhere(place):
    (place / "publisher.key").rename(place / "elsewhere")

    assert sign() == 2
    assert sign("--key", "elsewhere") == 0


def test_a_bundle_of_key_and_chain_is_an_identity(place):
    leaf = pki.root(HYBRID).intermediate().issue(uris=(NAME,))
    (place / "bundle.pem").write_bytes(leaf.key_pem + leaf.certificate_pem)

    assert sign(identity="bundle.pem") == 0
    assert envelope(place / "model.pqsig").chain == leaf.chain_der


@pytest.mark.parametrize(
    ("kind", "permitted"), [("mldsa65", "post-quantum"), ("ecdsa-p256", "any")]
)
def test_a_weaker_key_signs_only_when_that_is_said(place, capsys, kind, permitted):
    pki.root(kind).issue(uris=(NAME,)).write(place, "weaker")

    assert sign(identity="weaker.crt") == 2
    assert f"a key of type {kind} makes no hybrid signature" in capsys.readouterr().err
    assert not (place / "model.pqsig").exists()
    assert sign("--authentication", permitted, identity="weaker.crt") == 0


def test_an_expired_identity_signs_nothing(place, capsys):
    pki.root(HYBRID).issue(uris=(NAME,), not_after=pki.PAST).write(place, "old")

    assert sign(identity="old.crt") == 2
    assert "expired on 2021-01-01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("missing", "publisher.crt"), 1, "cannot read missing: No such file"),
        ((".", "publisher.crt"), 2, ". is a directory"),
        (("model", "missing.crt"), 2, "--identity: there is no missing.crt"),
    ],
)
def test_files_that_are_not_there_are_named(place, capsys, arguments, code, said):
    file, identity = arguments

    assert sign(file=file, identity=identity) == code
    assert said in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(place, capsys):
    assert sign("--signature", "no/such/place.pqsig") == 1
    assert "cannot write no/such/place.pqsig" in capsys.readouterr().err
    (place / "directory").mkdir()
    assert sign("--force", "--signature", "directory") == 1
    assert "cannot write directory: Is a directory" in capsys.readouterr().err
    assert not list(place.glob(".*"))


def test_a_key_under_a_passphrase_signs(place, monkeypatch):
    key = encode_private_key(pki.key(HYBRID, "leaf"), b"open sesame")
    (place / "publisher.key").write_bytes(key)

    assert sign() == 2
    (place / "passphrase").write_bytes(b"open sesame\n")
    assert sign("--passphrase-file", "passphrase") == 0
    monkeypatch.setenv("PQPROXY_PASSPHRASE", "open sesame")
    assert sign("--force", "--key", "publisher.key") == 0
