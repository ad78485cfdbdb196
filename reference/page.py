"""docs/reference.md."""

from collections.abc import Iterator

from reference.commands import commands
from reference.configuration import configuration
from reference.metrics import metrics
from reference.words import exit_codes, words

_HEAD = """\
# Reference

Made from the code by `python -m reference`: what is wrong here is wrong there.

[Commands](#commands) · [Exit codes](#exit-codes) · [Configuration](#configuration) · [Reasons](#reasons) · [Metrics](#metrics)
"""
_CONFIGURATION = """\
Durations and sizes carry units (`250ms`, `10s`, `5m`, `1h`; `64KiB`); `never` and `none` switch off. Paths are relative to the file.
`${VAR}` and `${VAR:-default}` expand in values. Unknown and repeated keys are errors. Editors check a file that begins with
`# yaml-language-server: $schema=proxy.schema.json` (in `config/`, or from `pqproxy config schema`).
"""
_METRICS = "On the health listener, `GET /metrics`. Label values come from closed sets; what is in none is `other`.\n"


def page() -> str:
    """The file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Commands\n"
    yield from commands()
    yield "## Exit codes\n"
    yield from exit_codes()
    yield "\n## Configuration\n"
    yield _CONFIGURATION
    yield from configuration()
    yield "\n## Reasons\n"
    yield "In log lines, status and metrics. Each reason and end is explained in [troubleshooting](troubleshooting.md).\n"
    yield from words()
    yield "\n## Metrics\n"
    yield _METRICS
    yield from metrics()
