"""The command line as data, read from its parsers: for shell completion and for documents.

argparse has no public way to ask a parser what it takes; what is private of it is touched here
and nowhere else.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILES, _DIRECTORIES = "files", "directories"


@dataclass(frozen=True, slots=True)
class Option:
    """One option, or one positional argument (then `names` is empty)."""

    names: tuple[str, ...]
    metavar: str | None  # None: it takes no value
    choices: tuple[str, ...]
    help: str
    required: bool
    repeatable: bool
    completes: str | None  # files | directories

    @property
    def takes_value(self) -> bool:
        """Whether something follows it."""
        return self.metavar is not None


@dataclass(frozen=True, slots=True)
class Command:
    """One command with what it takes, and the commands below it."""

    path: tuple[str, ...]  # `pqproxy`, `certs`, `init`
    summary: str
    description: str
    options: tuple[Option, ...]
    positionals: tuple[Option, ...]
    commands: tuple["Command", ...]

    @property
    def name(self) -> str:
        """As a person types it."""
        return " ".join(self.path)

    @property
    def usage(self) -> str:
        """One line: what it must be given, and what it may be."""
        words = [self.name]
        for option in self.options:
            if option.required:
                words.append(f"{option.names[-1]} {option.metavar}")
        optional = [one for one in self.options if not one.required and "--help" not in one.names]
        if optional:
            words.append("[OPTION]...")
        for positional in self.positionals:
            word = f"{positional.metavar}{'...' * positional.repeatable}"
            words.append(word if positional.required else f"[{word}]")
        return " ".join([*words, *["COMMAND"] * bool(self.commands)])

    def walk(self) -> Iterator["Command"]:
        """Itself and all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def command_tree(parser: argparse.ArgumentParser, summary: str = "") -> Command:
    """Read a parser and all below it."""
    visible = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    plain = [action for action in visible if not isinstance(action, argparse._SubParsersAction)]
    return Command(
        path=tuple(parser.prog.split()),
        summary=summary,
        description=parser.description or summary,
        options=tuple(_option(action, parser) for action in plain if action.option_strings),
        positionals=tuple(_option(action, parser) for action in plain if not action.option_strings),
        commands=tuple(_children(parser)),
    )


def _children(parser: argparse.ArgumentParser) -> Iterator[Command]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                yield command_tree(child, helps.get(name, ""))


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> Option:
    choices = tuple(str(choice) for choice in action.choices or ())
    metavar: str | None = None
    if not choices and "|" in str(action.metavar):  # the configuration judges those, with a hint
        choices = tuple(str(action.metavar).split("|"))
    if action.nargs != 0:
        metavar = str(action.metavar or ("|".join(choices) if choices else action.dest.upper()))
    values = {**vars(action), "prog": parser.prog}
    return Option(
        names=tuple(action.option_strings),
        metavar=metavar,
        choices=choices,
        help=(action.help or "") % values,
        required=action.required and action.nargs not in ("?", "*"),
        repeatable=isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+"),
        completes=_completes(action),
    )


def _completes(action: argparse.Action) -> str | None:
    if action.type is not Path:
        return None
    return _DIRECTORIES if action.metavar == "DIR" else _FILES
