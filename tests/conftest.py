"""Skips tests whose peer is missing and ends the run with a table of peers."""

import signal

import pytest

from tests.support.peers import PeerTable, reason_to_skip

# Whoever uses the fixture talks to the peer behind it.
PEER_OF_FIXTURE = {"model": "llama.cpp"}


def pytest_configure(config):
    config.addinivalue_line("markers", "peer(name): needs a peer of tests.support.peers")
    config.pluginmanager.register(PeerTable(), "peer-table")
    # What a script starts in the background ignores Ctrl-C, and so would all that tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        for fixture, name in PEER_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.peer(name))


def pytest_runtest_setup(item):
    for marker in item.iter_markers("peer"):
        (name,) = marker.args
        item.user_properties.append(("peer", name))
        if reason := reason_to_skip(name):
            pytest.skip(reason)
