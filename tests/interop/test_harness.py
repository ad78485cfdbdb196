"""The harness itself: peers against each other without our engine, and the table at the end.

When one of the first fails, the fault is the machine's or the harness's, not the engine's.
"""

from types import SimpleNamespace

import pytest

from tests.interop.matrix import GROUPS, client_leaf, server_leaf
from tests.support import pki
from tests.support.loopback import pump
from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.peers import PEERS, REQUIRE, Missing, PeerTable

pytestmark = pytest.mark.interop


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("group", GROUPS)
def test_openssl_agrees_with_itself(group):
    server = OpenSslEndpoint.server(leaf=server_leaf(), trust=pki.root(), groups=(group,))
    client = OpenSslEndpoint.client(leaf=client_leaf(), trust=pki.root(), groups=(group,))
    client.send(b"question")

    pump(client, server)

    assert (client.error, server.error) == (None, None)
    assert server.received == b"question"
    assert server.group == group
    assert sorted(client.settings.key_log) == sorted(server.settings.key_log)


@pytest.mark.peer("openssl")
def test_openssl_refuses_itself_without_a_common_group():
    server = OpenSslEndpoint.server(leaf=server_leaf(), groups=("X25519MLKEM768",))
    client = OpenSslEndpoint.client(trust=pki.root(), groups=("x25519",))

    pump(client, server)

    assert "no suitable key share" in server.error
    assert "handshake failure" in client.error


def report(peer=None, outcome="passed", why=""):
    """What pytest says of one test."""
    return SimpleNamespace(
        user_properties=[("peer", peer)] if peer else [],
        when="call",
        longrepr=why,
        failed=outcome == "failed",
        skipped=outcome == "skipped",
    )


@pytest.fixture
def table(monkeypatch):
    """A table after a run in which every peer had one test that passed."""
    monkeypatch.setenv(REQUIRE, "1")
    filled = PeerTable()
    for name in PEERS:
        filled.pytest_runtest_logreport(report(name))
    return filled


def test_a_run_with_every_peer_is_good(table):
    assert table.complaints() == []


def test_a_skipped_peer_that_pip_installs_fails_the_run(table):
    table.pytest_runtest_logreport(report("go", "skipped"))
    session = SimpleNamespace(exitstatus=0)

    table.pytest_sessionfinish(session)

    assert session.exitstatus == 1
    assert "Go" in table.complaints()[0]


def test_a_peer_of_the_system_may_be_skipped(table):
    table.pytest_runtest_logreport(report("chromium", "skipped"))

    assert table.complaints() == []


def test_a_test_skipped_for_a_missing_package_fails_the_run(table):
    table.pytest_collectreport(report(None, "skipped", "could not import 'openai': No module"))

    assert table.complaints() == ["a test needs the package openai"]
    assert "pip install openai" in list(table.rows())[-1]


def test_a_skip_is_only_shown_where_peers_are_not_required(table, monkeypatch):
    monkeypatch.delenv(REQUIRE)
    table.pytest_runtest_logreport(report("node", "skipped"))

    assert table.complaints() == []
    assert any("1 skipped" in row for row in table.rows())


def test_a_row_says_what_would_bring_a_missing_peer(table, monkeypatch):
    def find():
        raise Missing("pip install something")

    absent = SimpleNamespace(title="Something", find=find, from_pip=True)
    monkeypatch.setitem(PEERS, "something", absent)

    assert "skipped: pip install something" in list(table.rows())[-1]
