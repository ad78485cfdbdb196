"""docs/pqproxy.1: the manual page, in roff."""

from collections.abc import Iterator

from pqproxy.cli.tree import Command
from pqproxy.version import VERSION
from reference.commands import arguments, sentence, spelled, tree
from reference.words import EXIT_CODES

_FILES = (
    ("proxy.yaml", "whatever -c names; pqproxy config schema describes it"),
    ("/run/pqproxy/control.sock", "where commands look for a running pqproxy"),
    ("$XDG_STATE_HOME/pqproxy", "what pqproxy serve keeps: an authority and its certificates"),
)
_ENVIRONMENT = (
    ("PQC_KEY_MANAGEMENT", "hybrid: policy require, where the file says nothing"),
    ("FALLBACK_CRYPTO", "enabled: policy prefer, disabled: require, where the file says nothing"),
    ("OQS_INSTALL_PATH", "prefix of the native liboqs"),
    ("PQPROXY_PASSPHRASE", "of the key, where a command takes --passphrase-file and it is absent"),
    ("NO_COLOR", "no colours"),
)


def manual() -> str:
    """The file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    root = tree()
    yield f'.TH PQPROXY 1 "" "pqproxy {VERSION}" "User Commands"'
    yield ".ad l"  # what does not fit a line is not stretched to fill it
    yield ".SH NAME"
    yield r"pqproxy \- post\-quantum TLS for model servers that nobody can change"
    yield ".SH SYNOPSIS"
    yield f".B {_escaped(root.usage)}"
    yield ".br"
    yield f".B pqproxy {_escaped('-c FILE')}"
    yield ".SH DESCRIPTION"
    yield from _text(
        "A sidecar on each side carries plaintext over TLS 1.3 with a hybrid key exchange. "
        "pqproxy -c FILE is pqproxy run -c FILE."
    )
    yield ".SH COMMANDS"
    for command in root.walk():
        if command is not root and not command.commands:
            yield from _command(command)
    for title, rows in (
        ("EXIT STATUS", EXIT_CODES),
        ("FILES", _FILES),
        ("ENVIRONMENT", _ENVIRONMENT),
    ):
        yield f".SH {title}"
        for term, meaning in rows:
            yield from _term(term, meaning)


def _command(command: Command) -> Iterator[str]:
    yield f".SS {_escaped(command.usage)}"
    yield from _text(sentence(command.description))
    for option in arguments(command):
        yield from _term(spelled(option), option.help)


def _term(term: str, meaning: str) -> Iterator[str]:
    yield ".TP"
    yield f".B {_escaped(term)}"
    yield from _text(meaning or r"\&")


def _text(text: str) -> Iterator[str]:
    escaped = text if text == r"\&" else _escaped(text)
    # A line that begins with one of these would be a request.
    yield rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e").replace("|", r"|\:").replace("-", r"\-").replace("…", "...")
