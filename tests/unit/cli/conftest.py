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
    return _Column(calls, 0)


@pytest.fixture
def rereading(calls):
    """What a reload would call for other settings."""
    return _Column(calls, 1)


class _Column(Sequence):
    def __init__(self, rows, index):
        self._rows, self._index = rows, index

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, at):
        return self._rows[at][self._index]

    def __eq__(self, other):
        return list(self) == other
