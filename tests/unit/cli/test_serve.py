import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pqproxy.cli.main import main
from pqproxy.cli.serve import default_state_directory
from pqproxy.config.values import (
    ClientAuth,
    PeerAuthentication,
    Policy,
    PolicyOrigin,
    TcpAddress,
    UnixAddress,
)
from pqproxy.identity.authority import create_authority
from tests.support import pki

TO = ("--to", "127.0.0.1:8000")


@pytest.fixture
def bundle(tmp_path):
    leaf = pki.root().issue(uris=("spiffe://corp/llm",))
    path = tmp_path / "bundle.pem"
    path.write_bytes(leaf.key_pem + leaf.certificate_pem + pki.root().certificate_pem)
    return str(path)


def test_without_certificates_it_makes_them_and_demands_them(supervised, tmp_path):
    assert main(["serve", *TO, "--state-dir", str(tmp_path)]) == 0

    (ingress,) = supervised[0].ingress
    assert ingress.listen == TcpAddress("", 8443)
    assert ingress.client_auth is ClientAuth.REQUIRE
    assert ingress.policy is Policy.REQUIRE
    assert ingress.allow == ("spiffe://pqproxy.internal/client",)
    assert ingress.identities == ("mldsa65-ecdsa-p256", "ecdsa-p256")
    assert ingress.authentication is PeerAuthentication.HYBRID


def test_with_an_authority_from_before_it_demands_what_its_clients_can_show(supervised, tmp_path):
    now = datetime.fromtimestamp(time.time(), UTC)
    create_authority(tmp_path, "ecdsa-p256", now=now, trust_domain="pqproxy.internal")

    assert main(["serve", *TO, "--state-dir", str(tmp_path)]) == 0

    (ingress,) = supervised[0].ingress
    assert ingress.identities == ("own",)
    assert ingress.authentication is PeerAuthentication.ANY


def test_standard_clients_may_be_asked_for_nothing(supervised, tmp_path):
    options = ("--client-auth", "none", "--state-dir", str(tmp_path))

    assert main(["serve", "127.0.0.1:8443", *TO, *options]) == 0

    assert supervised[0].ingress[0].authentication is PeerAuthentication.ANY


def test_the_printed_line_works_on_the_other_machine(supervised, tmp_path, capsys, monkeypatch):
    """The line is run as it was printed, where the bundle was copied to."""
    main(["serve", "192.0.2.1:8443", *TO, "--state-dir", str(tmp_path)])
    said = capsys.readouterr().out.splitlines()
    command = said[-1].partition("run there: ")[2].split()
    monkeypatch.chdir(tmp_path)

    assert command[0] == "pqproxy"
    assert main(command[1:]) == 0

    served, connected = supervised
    assert connected.egress[0].connect == (TcpAddress("192.0.2.1", 8443),)
    assert connected.egress[0].expect == ("spiffe://pqproxy.internal/server",)
    assert connected.egress[0].authentication is PeerAuthentication.HYBRID
    assert connected.trust[0].roots == served.trust[0].roots
    assert str(tmp_path / "client.pem") in said[1]


def test_the_printed_line_names_this_machine(supervised, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "gpu-7")

    main(["serve", *TO, "--state-dir", str(tmp_path)])

    assert "pqproxy connect gpu-7:8443 --listen 127.0.0.1:9000" in capsys.readouterr().out


def test_certificates_are_said_to_be_new_only_once(supervised, tmp_path, capsys):
    for _ in range(2):
        main(["serve", *TO, "--state-dir", str(tmp_path)])

    first, second = (
        line for line in capsys.readouterr().out.splitlines() if line.startswith("certificates")
    )
    assert first.endswith("(made just now)")
    assert not second.endswith("(made just now)")


def test_ones_own_certificates_are_used_as_they_are(supervised, bundle, tmp_path, capsys):
    arguments = ["serve", "127.0.0.1:1", "--to", "unix:/m", "--identity", bundle]

    assert main([*arguments, "--allow", "spiffe://corp/*", "--policy", "prefer"]) == 0

    (ingress,) = supervised[0].ingress
    assert ingress.forward == UnixAddress("/m")
    assert ingress.allow == ("spiffe://corp/*",)
    assert (ingress.policy, ingress.policy_origin) == (Policy.PREFER, PolicyOrigin.OPTION)
    assert capsys.readouterr().out == ""


def test_the_environment_sets_the_policy_that_no_option_sets(supervised, tmp_path, monkeypatch):
    monkeypatch.setenv("FALLBACK_CRYPTO", "enabled")
    for options in ([], ["--policy", "require"]):
        main(["serve", *TO, *options, "--state-dir", str(tmp_path)])

    silent, said = (settings.ingress[0] for settings in supervised)
    assert (silent.policy, silent.policy_origin) == (Policy.PREFER, PolicyOrigin.ENVIRONMENT)
    assert (said.policy, said.policy_origin) == (Policy.REQUIRE, PolicyOrigin.OPTION)


def test_a_mistake_in_the_environment_is_said_of_its_variable(
    supervised, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PQC_KEY_MANAGEMENT", "kyber")

    assert main(["serve", *TO, "--state-dir", str(tmp_path)]) == 2
    said = "pqproxy: error: environment: PQC_KEY_MANAGEMENT: kyber is not hybrid\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*TO, "--identity", "{bundle}"], "--allow: is missing"),
        ([*TO, "--client-auth", "none"], "--client-auth: anyone who reaches :8443"),
        ([*TO, "--client-auth", "reqire"], "--client-auth: reqire is not require, request or none"),
        ([*TO, "--policy", "obsrve"], "--policy: obsrve is not require, prefer or observe, did"),
        ([*TO, "--authentication", "both"], "--authentication: both is not hybrid, post-quantum"),
        ([*TO, "--preset", "vllm"], "--preset is not yet available"),
        (["--to", "10.0.0.1:8000"], "--to: plaintext would leave this machine"),
        (["8443", *TO], 'LISTEN: 8443 is only a number, did you mean ":8443"'),
        ([], "the following arguments are required: --to"),
    ],
)
def test_a_mistake_is_said_of_its_option(supervised, bundle, tmp_path, capsys, arguments, said):
    arguments = [argument.format(bundle=bundle) for argument in arguments]

    assert main(["serve", *arguments, "--state-dir", str(tmp_path / "state")]) == 2
    assert supervised == []
    assert capsys.readouterr().err.startswith(f"pqproxy: error: {said}")


def test_nobody_needs_a_certificate_on_this_machine_if_told_so(supervised, tmp_path):
    arguments = ["serve", "127.0.0.1:1", *TO, "--client-auth", "none"]

    assert main([*arguments, "--state-dir", str(tmp_path)]) == 0
    assert supervised[0].ingress[0].allow == ()


@pytest.mark.parametrize(
    ("state_home", "directory"),
    [("/var/state", "/var/state/pqproxy"), ("relative", "/home/u/.local/state/pqproxy"),
     ("", "/home/u/.local/state/pqproxy")],
)  # fmt: skip
def test_state_lies_where_xdg_says(monkeypatch, state_home, directory):
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_STATE_HOME", state_home)

    assert default_state_directory() == Path(directory)
