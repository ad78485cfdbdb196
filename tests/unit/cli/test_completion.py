import pytest

from pqproxy.cli.main import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell, capsys):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out.startswith(("#compdef", f"# {shell} completion"))


def test_another_shell_is_a_mistake_of_usage(capsys):
    assert main(["completion", "csh"]) == 2
    assert "invalid choice: 'csh'" in capsys.readouterr().err
