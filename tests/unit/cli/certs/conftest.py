import pytest

from pqproxy.cli.main import main


@pytest.fixture
def certs(tmp_path, monkeypatch):
    """`pqproxy certs`, in a directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(["certs", *arguments])
