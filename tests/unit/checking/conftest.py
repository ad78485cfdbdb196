import socket

import pytest

from tests.unit.checking.subjects import Place


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("PQC_KEY_MANAGEMENT", "FALLBACK_CRYPTO"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path)


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
