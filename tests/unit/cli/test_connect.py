from pathlib import Path

import pytest

from pqproxy.cli.main import main
from pqproxy.config.values import TcpAddress
from pqproxy.supervisor.errors import ReloadFailure
from tests.support import pki


@pytest.fixture
def root(tmp_path):
    return str(pki.root().write(tmp_path))


def test_it_listens_for_plaintext_and_connects_with_tls(supervised, root):
    assert main(["connect", "llm.corp:8443", "--listen", "127.0.0.1:9000", "--trust", root]) == 0

    (egress,) = supervised[0].egress
    assert egress.listen == TcpAddress("127.0.0.1", 9000)
    assert egress.connect == (TcpAddress("llm.corp", 8443),)
    assert (egress.expect, egress.identities) == (("llm.corp",), ())


def test_several_identities_may_be_expected(supervised, root):
    arguments = ["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", root]

    assert main([*arguments, "--expect", "spiffe://a/b", "--expect", "c.d"]) == 0
    assert supervised[0].egress[0].expect == ("spiffe://a/b", "c.d")


def test_somebody_must_vouch_for_the_server(supervised, capsys):
    assert main(["connect", "h:1", "--listen", "127.0.0.1:9000"]) == 2
    assert supervised == []
    assert capsys.readouterr().err == (
        "pqproxy: error: nothing says who signs the server's certificate\n"
        "hint: give --trust FILE, or an --identity bundle that holds roots\n"
    )


def test_a_wrong_pattern_is_said_of_its_option(supervised, root, capsys):
    arguments = ["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", root]

    assert main([*arguments, "--expect", "spiffe://*/x"]) == 2
    assert capsys.readouterr().err.startswith("pqproxy: error: --expect: the trust domain is")


def test_what_is_demanded_of_the_server_is_an_option(supervised, root, tmp_path):
    strong = str(pki.root("mldsa65").write(tmp_path))
    arguments = ["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", strong]

    assert main([*arguments, "--authentication", "post-quantum"]) == 0
    assert supervised[0].egress[0].authentication == "post-quantum"


def test_tunnels_are_an_option(supervised, root, capsys):
    arguments = ["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", root]

    assert main(arguments) == main([*arguments, "--tunnel", "never"]) == 0
    assert [one.egress[0].tunnel.mode for one in supervised] == ["auto", "never"]
    assert main([*arguments, "--tunnel", "nevr"]) == 2
    assert capsys.readouterr().err == (
        "pqproxy: error: --tunnel: nevr is not auto, require or never, did you mean never\n"
    )


def test_a_demand_that_no_root_could_satisfy_is_said_of_its_option(supervised, root, capsys):
    arguments = ["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", root]

    assert main([*arguments, "--authentication", "hybrid"]) == 2
    assert capsys.readouterr().err.startswith(
        "pqproxy: error: --authentication: holds no root with a key of type mldsa44-ecdsa-p256"
    )


def test_listen_is_needed(capsys):
    assert main(["connect", "h:1"]) == 2
    assert "--listen" in capsys.readouterr().err


def test_a_reload_reads_the_files_of_the_options_again(supervised, rereading, root, tmp_path):
    """Certificates end, whether they were named in a file or on the command line."""
    assert main(["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", root]) == 0
    (in_force,) = supervised
    assert rereading[0](in_force) == in_force

    other = pki.root("ecdsa-p384").certificate_pem
    Path(root).write_bytes(other)
    assert rereading[0](in_force).trust[0].roots == (other,)


def test_a_renewal_reads_the_files_of_the_options_too(supervised, renewing, root):
    main(["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", root])
    other = pki.root("ecdsa-p384").certificate_pem
    Path(root).write_bytes(other)

    assert supervised[0].files == (root,)
    assert renewing[0]().trust[0].roots == (other,)


def test_a_reload_says_what_is_wrong_with_an_option(supervised, rereading, root):
    main(["connect", "h:1", "--listen", "127.0.0.1:9000", "--trust", root])
    Path(root).unlink()

    with pytest.raises(ReloadFailure, match="--trust: there is no "):
        rereading[0](supervised[0])
