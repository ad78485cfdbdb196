"""The commands, read from their parsers."""

from collections.abc import Iterator

from pqproxy.cli.main import COMMANDS, build_parser
from pqproxy.cli.tree import Command, Option, command_tree
from reference.markdown import code, table


def tree() -> Command:
    """All of them."""
    return command_tree(build_parser(COMMANDS))


def commands() -> Iterator[str]:
    """A chapter for each command that does something."""
    for command in tree().walk():
        if command.commands and len(command.path) > 1:
            continue  # its verbs say it all
        yield f"### {command.name}"
        yield ""
        yield sentence(command.description)
        yield ""
        yield f"    {command.usage}"
        yield ""
        if command.commands:
            yield from table(
                ("command", ""),
                ((code(child.name), child.summary) for child in command.commands),
            )
            yield ""
        if taken := arguments(command):
            yield from table(("", ""), map(_row, taken))
            yield ""


def arguments(command: Command) -> tuple[Option, ...]:
    """What a command takes, without what every command takes."""
    options = tuple(option for option in command.options if "--help" not in option.names)
    return (*command.positionals, *options)


def spelled(option: Option) -> str:
    """As it is typed: `-c, --config FILE`."""
    value = option.metavar or ""
    if option.choices and not option.names:
        value = "|".join(option.choices)
    return f"{', '.join(option.names)} {value}".strip()


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _row(option: Option) -> tuple[str, str]:
    marks = ["required"] * (option.required and bool(option.names))
    if option.repeatable and option.names and "repeatable" not in option.help:
        marks.append("repeatable")
    help_text = "; ".join(filter(None, (option.help, *marks)))
    return code(spelled(option)), help_text
