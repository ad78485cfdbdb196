import pytest

from pqproxy.cli import run


@pytest.fixture
def supervised(monkeypatch):
    """What the supervisor would have been told."""
    told = []
    monkeypatch.setattr(run, "supervise", lambda settings: told.append(settings) or 0)
    return told
