"""The alert table, row by row: one deviation, one alert, a reason for people, then silence."""

import pytest

from pqproxy.tls import AlertDescription, Failed
from tests.handshake.deviations import clients, records, resumptions, servers
from tests.support.deviation import assert_inert

FATAL = 2
either_role = pytest.mark.parametrize("role", ["server", "client"])


def rows(module):
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in module.ROWS])


def assert_refused(scene, alert):
    failures = [event for event in scene.subject.events if isinstance(event, Failed)]
    assert len(failures) == 1
    (failed,) = failures
    assert AlertDescription(failed.alert) is alert
    assert failed.reason
    assert not failed.by_peer
    assert scene.alerts == [(FATAL, alert)]
    assert scene.contents[-1] == (21, bytes((FATAL, alert)))  # and it is the last thing said
    assert_inert(scene.subject.connection)


@rows(clients)
def test_a_client_that_deviates_gets_one_alert_and_then_silence(row):
    assert_refused(row.scene(), row.alert)


@rows(servers)
def test_a_server_that_deviates_gets_one_alert_and_then_silence(row):
    assert_refused(row.scene(), row.alert)


@rows(resumptions)
def test_a_resumption_that_deviates_gets_one_alert_and_then_silence(row):
    assert_refused(row.scene(), row.alert)


@either_role
@rows(records)
def test_a_record_that_may_not_be_gets_one_alert_and_then_silence(role, row):
    assert_refused(row.scene(role), row.alert)


def test_the_names_of_the_rows_are_their_own():
    for module in (clients, records, resumptions, servers):
        names = [row.name for row in module.ROWS]

        assert len(set(names)) == len(names)
