"""The kinds of values that stand in the file: how each is read, and how an editor shows it.

What reads one raises ValueError with words for whoever wrote the file.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import WithJsonSchema

from pqproxy.config import groups as group_names
from pqproxy.config.addresses import parse_listen, parse_target
from pqproxy.config.code_points import FIRST, LAST, parse_code_point
from pqproxy.config.cores import usable_cores
from pqproxy.config.patterns import parse_denied, parse_pattern
from pqproxy.config.problems import BROKEN, did_you_mean, listed
from pqproxy.config.sections import leaf
from pqproxy.config.units import parse_duration, parse_size, shown
from pqproxy.config.values import Address, Profile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# Of a request line: what is not ASCII is written with %, and a fragment never leaves a browser.
_URL_PATH = re.compile(r"/[!-\"$-~]{0,1023}")
_LONGEST_DAY = 30 * 86400.0
_MOST_WORKERS = 256
_MAX_PADDING = 1024  # only records below 1 KB are padded
_MOST_TUNNELS = 64  # for one address; each carries thousands of streams
_SHORTEST_TUNNEL = 1.0  # seconds; below, an egress would do nothing but shake hands


# What a boolean was called in YAML 1.1.
_OLD_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false"}


def parse_text(value: object) -> str:
    """Text, and not something that YAML takes for a number, a boolean or nothing."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, bool | int | float):
        raise ValueError(f'{shown(value)} is not text, did you mean "{shown(value)}"')
    raise ValueError(f"{shown(value) or 'nothing'} is not text")


def parse_boolean(value: object) -> bool:
    """Only `true` and `false`: YAML 1.2 gives `yes` and `on` no meaning."""
    if isinstance(value, bool):
        return value
    meant = _OLD_BOOLEANS.get(str(value).casefold())
    hint = f" (in YAML 1.2 {value} is text), did you mean {meant}" if meant else ""
    raise ValueError(f"{shown(value)} is neither true nor false{hint}")


def positive_integer(value: object) -> int:
    """A count of at least one."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError(f"{shown(value)} is not a whole number above zero")


def choice(allowed: Iterable[str]) -> Callable[[object], str]:
    """Make a parser for one of a few words."""
    words = tuple(allowed)

    def parse(value: object) -> str:
        if isinstance(value, str) and value in words:
            return words[words.index(value)]  # the member, where the words are an enumeration
        meant = did_you_mean(shown(value), words)
        raise ValueError(f"{shown(value)} is not {listed(words)}{meant}")

    return parse


def parse_name(value: object) -> str:
    """A name that is also a metric label and part of a log line."""
    text = parse_text(value)
    if not _NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a name: letters, digits, _ . - and at most 64")
    return text


def _file(value: dict[str, Any]) -> Any:
    """The path of `{file: PATH}`, or BROKEN where that was reported."""
    if set(value) != {"file"}:
        raise ValueError("is no path: use PATH or {file: PATH}")
    path = value["file"]
    return path if path is BROKEN else parse_text(path)


def _path(value: object) -> Any:
    return _file(value) if isinstance(value, dict) else parse_text(value)


@dataclass(frozen=True, slots=True)
class PassphraseFile:
    """The file that a passphrase is read from."""

    path: str


class PassphraseVariable:
    """A passphrase out of the environment: `Document.expansions` has it, no model does."""


def _passphrase(value: object) -> PassphraseFile | PassphraseVariable:
    if isinstance(value, dict) and set(value) == {"file"}:
        path = _file(value)
        return path if path is BROKEN else PassphraseFile(path)
    if isinstance(value, dict | list):
        raise ValueError("is neither {file: PATH} nor ${VARIABLE}")
    # Whatever YAML takes the content of a variable for; no message may show it.
    return PassphraseVariable()


def _url_path(value: object) -> str:
    text = parse_text(value)
    if not _URL_PATH.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a path such as /health")
    return text


def _version(value: object) -> int:
    if value == 1 and type(value) is int:  # True equals 1 too
        return 1
    raise ValueError(f"{shown(value)} is not a version of this format, use 1")


def _workers(value: object) -> int:
    if value == "auto":
        return usable_cores()
    if (count := positive_integer(value)) > _MOST_WORKERS:
        raise ValueError(f"{count} is more than {_MOST_WORKERS}, did you mean auto")
    return count


def _bounded_duration(value: object) -> float:
    seconds = parse_duration(value)
    if seconds is None or seconds > _LONGEST_DAY:
        raise ValueError(f"{shown(value)} is too long: at most 30d here")
    return seconds


def _timeout(value: object) -> float | None:
    if (seconds := parse_duration(value)) == 0:
        raise ValueError(f"{value} would end everything at once, did you mean never")
    return seconds


def _tunnel_count(value: object) -> int:
    if (count := positive_integer(value)) > _MOST_TUNNELS:
        raise ValueError(f"{count} is more than {_MOST_TUNNELS}: one carries thousands of streams")
    return count


def _tunnel_age(value: object) -> float | None:
    seconds = _timeout(value)
    if seconds is not None and seconds < _SHORTEST_TUNNEL:
        raise ValueError(f"{shown(value)} is too short: at least 1s here, or never")
    return seconds


def _padding(value: object) -> int | None:
    size = parse_size(value)
    if size is not None and not 1 <= size <= _MAX_PADDING:
        raise ValueError(f"{shown(value)} is not between 1 and {_MAX_PADDING} bytes")
    return size


def _alpn(value: object) -> str:
    text = parse_text(value)
    if not text.isascii() or len(text) > 255 or not text.isprintable():
        raise ValueError(f"{shown(text)} is not an ALPN protocol such as http/1.1 or h2")
    if text.startswith("pqproxy/"):
        raise ValueError(f"{text} is what sidecars speak among themselves, not an upstream")
    return text


def _groups(value: object) -> tuple[str, ...] | Profile | None:
    if value == "default":
        return None
    if value == "cnsa2":
        return Profile.CNSA2
    if not isinstance(value, list) or not value:
        raise ValueError(f"{shown(value)} is neither default nor cnsa2 nor a list of groups")
    known = group_names.KNOWN
    for name in value:
        if name not in known:
            meant = did_you_mean(shown(name), known)
            raise ValueError(f"{shown(name)} is not a group{meant or ': use ' + listed(known)}")
    if len(set(value)) != len(value):
        raise ValueError("names a group twice")
    return tuple(value)


def _text_schema(*examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "examples": list(examples)})


def _words_schema(*words: str) -> WithJsonSchema:
    return WithJsonSchema({"enum": list(words)})


Name = Annotated[
    str, leaf(parse_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})
]
FilePath = Annotated[
    str,
    leaf(_path),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["certs/server.crt"]},
                {
                    "type": "object",
                    "properties": {"file": {"type": "string"}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
Passphrase = Annotated[
    PassphraseFile | PassphraseVariable,
    leaf(_passphrase),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"},
                {
                    "type": "object",
                    "properties": {"file": {"type": "string"}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
UrlPath = Annotated[str, leaf(_url_path), _text_schema("/health")]
Listen = Annotated[Address, leaf(parse_listen), _text_schema(":8443", "unix:/run/pqproxy.sock")]
Target = Annotated[Address, leaf(parse_target), _text_schema("127.0.0.1:8000")]
Pattern = Annotated[
    str, leaf(parse_pattern), _text_schema("spiffe://corp/ns/apps/sa/*", "any-trusted")
]
Denied = Annotated[
    str, leaf(parse_denied), _text_schema("spiffe://corp/ns/old/sa/*", "serial:0a1b2c3d")
]
Boolean = Annotated[bool, leaf(parse_boolean), WithJsonSchema({"type": "boolean"})]
Count = Annotated[int, leaf(positive_integer), WithJsonSchema({"type": "integer", "minimum": 1})]
Version = Annotated[int, leaf(_version), WithJsonSchema({"const": 1})]
Workers = Annotated[
    int,
    leaf(_workers),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "auto"},
                {"type": "integer", "minimum": 1, "maximum": _MOST_WORKERS},
            ]
        }
    ),
]
TunnelCount = Annotated[
    int,
    leaf(_tunnel_count),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _MOST_TUNNELS}),
]
TunnelAge = Annotated[float | None, leaf(_tunnel_age), _text_schema("1h", "10m", "never")]
Timeout = Annotated[float | None, leaf(_timeout), _text_schema("10s", "250ms", "never")]
Duration = Annotated[float, leaf(_bounded_duration), _text_schema("5s", "1m")]
CodePoint = Annotated[
    int,
    leaf(parse_code_point),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": "^0[xX][fF][eEfF][0-9a-fA-F]{2}$",
                    "examples": ["0xFE45"],
                },
                {"type": "integer", "minimum": FIRST, "maximum": LAST},
            ]
        }
    ),
]
Alpn = Annotated[str, leaf(_alpn), _text_schema("http/1.1", "h2")]
Padding = Annotated[
    int | None,
    leaf(_padding),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
]
Groups = Annotated[
    tuple[str, ...] | Profile | None,
    leaf(_groups),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["default", "cnsa2"]},
                {
                    "type": "array",
                    "items": {"enum": list(group_names.KNOWN)},
                },
            ]
        }
    ),
]


def word(*words: str) -> Any:
    """Two annotations of one choice: how it is read, and how an editor shows it."""
    return leaf(choice(words)), _words_schema(*words)
