"""Settings without a file: one listener from the command line, under the same rules as a file.

The options become the data that a file would hold and pass the same schema and checks; a problem
is then said of the option instead of a line.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pqproxy.cli.credentials import PEERS, Credentials
from pqproxy.cli.errors import CommandError
from pqproxy.cli.loading import certificate_problems, demand_problems
from pqproxy.config.build import build_settings
from pqproxy.config.checks import check
from pqproxy.config.document import Document
from pqproxy.config.environment import read_environment
from pqproxy.config.validation import validate
from pqproxy.config.values import PolicyOrigin, Settings


def adhoc_settings(
    role: str, entry: Mapping[str, Any], credentials: Credentials, options: Mapping[str, str]
) -> Settings:
    """Check one listener and make settings of it. `options` says which option gave which key."""
    own, peers = credentials.identities, credentials.trust
    given = {key: value for key, value in entry.items() if value is not None}
    given["identities"] = [one.name for one in own]
    if peers:
        given["trust"] = PEERS
    # Only the names count here: the content of the files goes into the settings below.
    data = {
        "version": 1,
        "identities": {one.name: {"certificate": one.source, "key": one.source} for one in own},
        "trust": {PEERS: {"roots": [peers.source]}} if peers else {},
        role: [given],
    }
    policies, wrong = read_environment(os.environ)
    if wrong:
        raise CommandError(str(wrong[0]))
    policies = replace(policies, written=PolicyOrigin.OPTION)
    document = Document(data)
    file, problems = validate(document)
    for problem in problems + check(file, document, policies):
        key = str(problem.path[2])
        raise CommandError(f"{options.get(key, key)}: {problem.message}", _hint(problem.message))
    trust = [peers] if peers else []
    now = datetime.fromtimestamp(time.time(), UTC)
    for (section, _), message in certificate_problems(own, trust, now):
        raise CommandError(f"--{'identity' if section == 'identities' else 'trust'}: {message}")
    for _, message in demand_problems(file, own, trust, now):
        raise CommandError(f"--authentication: {message}")
    settings = build_settings(file, Path.cwd(), own, trust, policies)
    return replace(settings, files=credentials.files)


def supervise_adhoc(make: Callable[[], Settings], arguments: argparse.Namespace) -> int:
    """Run what `make` makes of the options; a reload makes it anew, from the same files."""
    from pqproxy.cli.run import apply_landlock_option, supervise
    from pqproxy.supervisor.errors import ReloadFailure
    from pqproxy.supervisor.reading import Reading

    def again() -> Settings:
        try:
            return apply_landlock_option(make(), arguments)
        except CommandError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise ReloadFailure(f"{error.message}{hint}") from None

    first = Reading(apply_landlock_option(make(), arguments), again)
    return supervise(first, lambda in_force: Reading(again(), again))


def _hint(message: str) -> str | None:
    # On purpose there are no options for these: who needs one writes it down, in a file.
    return "unsafe_… is said in a configuration file only" if "unsafe_" in message else None
