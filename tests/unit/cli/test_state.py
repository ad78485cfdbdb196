import stat
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509

from pqproxy.cli.credentials import read_credentials
from pqproxy.cli.errors import CommandError
from pqproxy.cli.state import open_state
from pqproxy.identity.authority import create_authority
from pqproxy.identity.own import Identity

NOW = datetime.fromtimestamp(time.time(), UTC)


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_new_directory_gets_certificates_of_both_ends(tmp_path):
    state = open_state(tmp_path / "deep" / "state")

    assert state.is_new
    assert all(path.exists() for path in state.server)
    assert read_credentials([state.client], None).trust


def test_both_ends_have_the_names_that_are_promised(tmp_path):
    state = open_state(tmp_path)

    server, client = (
        Identity.load(read_credentials([path], None).identities[0], NOW)
        for path in (state.server[0], state.client)
    )

    assert server.names.uris == (state.server_id,)
    assert "localhost" in server.names.dns_names
    assert client.names.uris == (state.client_id,)


def test_whatever_holds_a_key_is_for_the_owner_only(tmp_path):
    open_state(tmp_path)

    secret = [path for path, content in contents(tmp_path).items() if b"PRIVATE KEY" in content]

    assert len(secret) == 6
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in secret)


def test_the_server_has_a_certificate_for_every_client_and_the_bundle_believes_hybrid_ones(
    tmp_path,
):
    """Whoever breaks ECDSA is not the server for our own client."""
    state = open_state(tmp_path)

    client = read_credentials([state.client], None)

    assert [path.stem for path in state.server] == ["mldsa65-ecdsa-p256", "ecdsa-p256"]
    assert state.is_hybrid
    (root,) = client.trust.roots
    assert root == (tmp_path / "ca" / "mldsa65-ecdsa-p256" / "ca.crt").read_bytes()
    assert Identity.load(client.identities[0], NOW).key_algorithm == "mldsa65-ecdsa-p256"


def test_a_directory_from_before_hybrid_certificates_stays_what_it_is(tmp_path):
    """The bundle on the other machine holds an ECDSA root, and goes on working."""
    create_authority(tmp_path, "ecdsa-p256", now=NOW, trust_domain="pqproxy.internal")

    state = open_state(tmp_path)

    assert [path.stem for path in state.server] == ["ecdsa-p256"]
    assert not state.is_hybrid
    assert not state.is_new
    assert [path.name for path in (tmp_path / "ca").iterdir()] == ["ecdsa-p256"]


def test_a_start_that_was_cut_short_between_both_authorities_is_completed(tmp_path):
    create_authority(tmp_path, "mldsa65-ecdsa-p256", now=NOW, trust_domain="pqproxy.internal")

    assert [path.stem for path in open_state(tmp_path).server] == [
        "mldsa65-ecdsa-p256",
        "ecdsa-p256",
    ]


def test_a_second_start_changes_nothing(tmp_path):
    """The bundle on the other machine stays good."""
    open_state(tmp_path)
    before = contents(tmp_path)

    assert not open_state(tmp_path).is_new
    assert contents(tmp_path) == before


def test_a_start_that_was_cut_short_is_completed(tmp_path):
    state = open_state(tmp_path)
    state.client.unlink()
    for path in (tmp_path / "leaf" / "client").iterdir():
        path.unlink()

    open_state(tmp_path)

    certificate = x509.load_pem_x509_certificate(state.server[0].read_bytes())
    assert read_credentials([state.client], None).trust
    assert certificate.issuer.rfc4514_string().startswith("CN=pqproxy")


def test_a_machine_name_that_dns_does_not_allow_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "my machine")

    state = open_state(tmp_path)

    names = x509.load_pem_x509_certificate(state.server[0].read_bytes()).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == ["localhost"]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(CommandError, match="cannot make"):
        open_state(tmp_path / "file" / "state")
