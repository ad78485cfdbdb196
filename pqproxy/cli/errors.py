"""How a command fails: one sentence for a person, a hint where there is one, an exit code.

Every subcommand raises `CommandError` for what the user can repair; `main` prints it. Anything
else that escapes a command is our own bug and keeps its traceback.
"""

import os
import sys
from typing import TextIO

FAILURE = 1  # at run time
USAGE = 2  # usage or configuration
VERDICT = 3  # a negative one

_RED, _PLAIN = "\033[1;31m", "\033[0m"


class CommandError(Exception):
    """`message` is lower case, without a full stop, and names the thing."""

    def __init__(self, message: str, hint: str | None = None, exit_code: int = USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


def print_error(message: str, hint: str | None = None, stream: TextIO | None = None) -> None:
    """Print an error, and its hint, to standard error."""
    stream = stream or sys.stderr
    mark = f"{_RED}error:{_PLAIN}" if wants_colour(stream) else "error:"
    print(f"pqproxy: {mark} {message}", file=stream)
    if hint:
        print(f"hint: {hint}", file=stream)


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour: only a terminal, and never against NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
