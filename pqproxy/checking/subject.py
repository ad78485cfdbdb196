"""What is checked: a configuration, what of its certificates can be used, and what runs already."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pqproxy.config.parse import Parsed, load
from pqproxy.config.values import IdentityFiles, Settings, TrustFiles
from pqproxy.control.client import ControlClient, ControlError
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust

_PATIENCE = 2.0  # seconds for whoever runs to say what it does


@dataclass(frozen=True, slots=True)
class Running:
    """What an instance that runs from this configuration says of itself, if there is one."""

    status: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def pid(self) -> int | None:
        """Its supervisor."""
        return self.status.get("pid")


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything the sections may look at."""

    parsed: Parsed
    settings: Settings
    now: datetime
    identities: Mapping[str, Identity | IdentityError]
    trust: Mapping[str, Trust | IdentityError]
    running: Running | None = None

    def usable_identities(self, names: tuple[str, ...]) -> list[Identity]:
        """Those of the names that can be shown to a peer."""
        found = (self.identities[name] for name in names)
        return [identity for identity in found if isinstance(identity, Identity)]


def read_subject(path: Path) -> Subject:
    """Read a configuration and ask whoever runs from it. Raises ConfigError."""
    parsed = load(path, os.environ)
    settings = parsed.settings()
    now = datetime.fromtimestamp(time.time(), UTC)
    return Subject(
        parsed,
        settings,
        now,
        {files.name: _identity(files, now) for files in settings.identities},
        {files.name: _trust(files) for files in settings.trust},
        ask_running(settings),
    )


def ask_running(settings: Settings) -> Running | None:
    """What runs, or None where nothing does or it cannot be asked."""
    if settings.control is None:
        return None
    client = ControlClient(settings.control, _PATIENCE)
    try:
        status, configured = client.get("/status"), client.get("/config")
    except ControlError:
        return None
    if isinstance(status, dict) and isinstance(configured, dict):
        return Running(status, configured)
    return None


def _identity(files: IdentityFiles, now: datetime) -> Identity | IdentityError:
    try:
        return Identity.load(files, now)
    except IdentityError as error:
        return error


def _trust(files: TrustFiles) -> Trust | IdentityError:
    try:
        return Trust.load(files)
    except IdentityError as error:
        return error
