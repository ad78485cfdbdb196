"""A model server, certificates and a pair for all tests of the directory; sidecars for each."""

import tempfile
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.support.sidecars import Certificates, Sidecars
from tests.support.standing import Standing


def pytest_collection_modifyitems(items):
    here = f"{Path(__file__).parent}/"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def sidecars(tmp_path, certificates):
    running = Sidecars(tmp_path, certificates)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def standing_pair(tmp_path_factory, certificates):
    running = Sidecars(tmp_path_factory.mktemp("standing"), certificates)
    yield Standing(running)
    running.stop()


@pytest.fixture
def standing(standing_pair):
    """A pair for tests that leave it as it is; each puts a server of its own behind it."""
    yield standing_pair
    standing_pair.settle()


@pytest.fixture(scope="session")
def model():
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    with tempfile.TemporaryDirectory() as directory:
        server = ModelServer(directory)
        yield server
        server.stop()


@pytest.fixture(scope="session")
def model_pair(tmp_path_factory, certificates, model):
    """A pair in front of the model server, for tests that leave it as it is."""
    running = Sidecars(tmp_path_factory.mktemp("pair"), certificates)
    yield running.start_pair(model.forward)
    running.stop()
