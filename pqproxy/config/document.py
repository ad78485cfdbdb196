"""YAML into plain data, with the place of every key and value.

PyYAML only composes the nodes here. What a plain word means is decided by YAML 1.2's core schema:
`on`, `off`, `yes`, `no` and `10:30` are text. `${VAR}` expands after parsing, so that the content
of a variable can never become structure. This module knows nothing of what the keys mean.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from pqproxy.config.problems import BROKEN, START, ConfigError, Path, Position, Problem

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")  # longer ones mean nothing here and stay text
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}")

_IMPLICIT_TAGS = {
    yaml.ScalarNode: "tag:yaml.org,2002:str",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}


@dataclass(frozen=True, slots=True)
class Expansion:
    """A scalar with variables: as it was written, and what became of it, before YAML reads that."""

    template: str
    text: str = field(repr=False)  # a passphrase may be in it

    @property
    def variable(self) -> str | None:
        """The name of the one variable, where nothing else stands in the file."""
        match = _VARIABLE.fullmatch(self.template)
        return match["name"] if match is not None and match["default"] is None else None


@dataclass(slots=True)
class Document:
    """Plain data, and where each part of it stands."""

    data: Any = field(default=None, repr=False)  # as above
    values: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    expansions: dict[Path, Expansion] = field(default_factory=dict)

    def value_position(self, path: Path) -> Position:
        """Return where the value stands, or the nearest thing around it that was written."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, START)

    def key_position(self, path: Path) -> Position:
        """Return where the key stands: for what is wrong with a name, not with its value."""
        return self.keys.get(path) or self.value_position(path)


def read_text(path: FilePath) -> str:
    """Return the text of a configuration. Raises ConfigError when it cannot be read at all."""
    source = str(path)
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        place = Position(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise ConfigError(source, [Problem(place, (), "is not UTF-8")]) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(source, [Problem(START, (), f"cannot be read: {reason}")]) from None


def read_document(text: str, environ: Mapping[str, str]) -> Document:
    """Compose, resolve and expand. What is wrong is in `problems`; nothing is raised."""
    document = Document()
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
        if root is None:
            document.problems.append(Problem(START, (), "the file is empty"))
            return document
        document.data = _Builder(document, environ).build(root, ())
    except yaml.YAMLError as error:
        document.problems.append(_syntax_problem(error, text))
    except RecursionError:
        document.problems.append(Problem(START, (), "not YAML: nested too deeply"))
    return document


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    message, position = str(error), START
    if isinstance(error, yaml.MarkedYAMLError):
        message = error.problem or error.context or "cannot be read"
        if mark := error.problem_mark or error.context_mark:
            position = _position(mark)
    elif isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = "holds a control character"
    if "\\t" in message:
        message += " (YAML is indented with spaces, never with tabs)"
    if message.endswith("but got '{'"):
        message += ' (between { and } a variable stands in quotes: "${NAME}")'
    return Problem(position, (), f"not YAML: {message}")


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


class _Builder:
    """Walks the nodes once and fills the document."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._open: set[int] = set()  # nodes being built: an alias to one of them has no end

    def build(self, node: yaml.Node, path: Path) -> Any:
        self._document.values[path] = _position(node.start_mark)
        if node.tag != _IMPLICIT_TAGS[type(node)]:
            self._complain(node, path, f"YAML tags such as {node.tag} are not supported")
            return BROKEN
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._complain(node, path, "an alias refers to what it stands in")
            return BROKEN
        self._open.add(id(node))
        built = (
            self._mapping(node, path)
            if isinstance(node, yaml.MappingNode)
            else [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        )
        self._open.discard(id(node))
        return built

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(key_node, path, "a key must be a word")
                continue
            name = key_node.value
            here = (*path, name)
            if name in built:
                first = self._document.keys[here].line
                self._complain(key_node, here, f"is given twice, first in line {first}")
                continue
            self._document.keys[here] = _position(key_node.start_mark)
            built[name] = self.build(value_node, here)
        return built

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = str(node.value)
        if "${" in _VARIABLE.sub("", text):
            self._complain(node, path, "write variables as ${NAME} or ${NAME:-default}")
            return BROKEN
        for match in _VARIABLE.finditer(text):
            if self._variable(match) is None:
                name = match["name"]
                hint = f"${{{name}:-default}} gives a default"
                self._complain(node, path, f"the environment has no {name} ({hint})")
                return BROKEN
        if "${" in text:
            template = text
            text = _VARIABLE.sub(lambda match: self._variable(match) or "", template)
            self._document.expansions[path] = Expansion(template, text)
        return resolve(text) if node.style is None else text

    def _variable(self, match: re.Match[str]) -> str | None:
        value, default = self._environ.get(match["name"]), match["default"]
        if default is not None:
            return value or default  # as in a shell, `:-` covers unset and empty
        return value

    def _complain(self, node: yaml.Node, path: Path, message: str) -> None:
        self._document.problems.append(Problem(_position(node.start_mark), path, message))


def resolve(word: str) -> str | int | float | bool | None:
    """Give a plain word its YAML 1.2 (core schema) meaning; octal and hexadecimal stay text."""
    if word in _NULL:
        return None
    if word in _BOOLEAN:
        return _BOOLEAN[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word):
        return float(word)
    return word
