import argparse
from pathlib import Path

import pytest

from pqproxy.cli.control_options import add_control_options, control_address, control_client
from pqproxy.cli.errors import FAILURE, USAGE, CommandError
from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.control.client import DEFAULT_ADDRESS, ControlError


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    add_control_options(parser)
    return parser.parse_args(arguments)


def test_without_options_it_is_where_packages_put_it():
    assert control_address(parsed()) == DEFAULT_ADDRESS


@pytest.mark.parametrize(
    ("given", "address"),
    [("unix:/c.sock", UnixAddress("/c.sock")), ("127.0.0.1:9", TcpAddress("127.0.0.1", 9))],
)
def test_an_address_is_taken_as_given(given, address):
    assert control_address(parsed("--control", given)) == address


def test_a_configuration_says_where(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("control: {listen: 'unix:c.sock'}")

    assert control_address(parsed("-c", str(path))) == UnixAddress(str(tmp_path / "c.sock"))


def test_an_address_that_is_none_is_a_mistake_of_usage():
    with pytest.raises(CommandError, match=r"--control: .* names no port") as raised:
        control_address(parsed("--control", "localhost"))

    assert raised.value.exit_code == USAGE


def test_what_goes_wrong_in_between_is_a_failure_with_its_hint():
    with pytest.raises(CommandError) as raised, control_client(parsed()):
        raise ControlError("nothing answers", "start it")

    assert (raised.value.message, raised.value.hint) == ("nothing answers", "start it")
    assert raised.value.exit_code == FAILURE


def test_the_two_places_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        parsed("--control", "unix:/c", "-c", str(Path("p.yaml")))

    assert "not allowed with" in capsys.readouterr().err
