"""`pqproxy completion bash|zsh|fish`: a script for that shell, made from the parsers."""

import argparse
from typing import Any

_HOW = """\
bash:  source <(pqproxy completion bash)          in ~/.bashrc
zsh:   pqproxy completion zsh > _pqproxy          in a directory of $fpath
fish:  pqproxy completion fish | source           in ~/.config/fish/config.fish
"""


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "completion",
        help="a script that completes pqproxy's commands in a shell",
        epilog=_HOW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    from pqproxy.cli.completion_scripts import SCRIPTS
    from pqproxy.cli.main import COMMANDS, build_parser
    from pqproxy.cli.tree import command_tree

    print(SCRIPTS[arguments.shell](command_tree(build_parser(COMMANDS))), end="")
    return 0
