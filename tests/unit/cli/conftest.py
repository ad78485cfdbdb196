from collections.abc import Sequence

import pytest

from pqproxy.cli import run


@pytest.fixture
def calls(monkeypatch):
    """What the supervisor would have been called with."""
    made = []
    monkeypatch.setattr(run, "supervise", lambda *given: made.append(given) or 0)
    return made


@pytest.fixture
def supervised(calls):
    """The settings that the supervisor would have been told."""
    return _Column(calls, lambda call: call[0].settings)


@pytest.fixture
def rereading(calls):
    """What a reload would call for other settings."""
    return _Column(calls, lambda call: lambda in_force: call[1](in_force).settings)


@pytest.fixture
def renewing(calls):
    """What a renewal of files would call for the same settings with others."""
    return _Column(calls, lambda call: call[0].again)


class _Column(Sequence):
    def __init__(self, rows, show):
        self._rows, self._show = rows, show

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, at):
        return self._show(self._rows[at])

    def __eq__(self, other):
        return list(self) == other
