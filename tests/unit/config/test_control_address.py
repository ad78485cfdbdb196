import pytest

from pqproxy.config.control_address import read_control_address
from pqproxy.config.problems import ConfigError
from pqproxy.config.values import TcpAddress, UnixAddress


@pytest.fixture
def read(tmp_path):
    def read(text, **environ):
        path = tmp_path / "p.yaml"
        path.write_text(text)
        return read_control_address(path, environ)

    return read


def test_a_path_is_relative_to_the_file(read, tmp_path):
    assert read("control: {listen: 'unix:c.sock'}") == UnixAddress(str(tmp_path / "c.sock"))


def test_variables_are_expanded(read):
    assert read("control: {listen: '127.0.0.1:${PORT}'}", PORT="9") == TcpAddress("127.0.0.1", 9)


def test_the_rest_of_the_file_does_not_matter(read):
    """What runs can be asked and drained though its file is being edited."""
    text = "ingress: [nonsense]\nidentities: {a: {key: gone}}\ncontrol: {listen: 'unix:/c'}"

    assert read(text) == UnixAddress("/c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1", "p.yaml:1:1: control.listen: is missing"),
        ("control: 5", "p.yaml:1:1: control.listen: is missing"),
        ("control:\n  listen: 9000", "p.yaml:2:11: control.listen: 9000 is only a number"),
        ("control:\n  listen: '127.0.0.1:0'", "p.yaml:2:11: control.listen: port 0"),
        ("control: {listen: '${NONE}'}", "NONE"),
        ("a: [", "not YAML"),
        ("", "is empty"),
    ],
)
def test_a_file_without_an_address_says_where_it_should_be(read, text, said):
    with pytest.raises(ConfigError) as raised:
        read(text)

    assert said in str(raised.value)


def test_a_file_that_is_not_there_is_a_problem_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_control_address(tmp_path / "none.yaml", {})
