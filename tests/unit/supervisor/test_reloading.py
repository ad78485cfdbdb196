import signal
import socket
from dataclasses import replace

import pytest

from pqproxy.config.values import Drain, Policy, TcpAddress
from pqproxy.supervisor.changes import Changes
from pqproxy.supervisor.reloading import History, Kind, Outcome, Result
from tests.unit.supervisor.harness import ingress, settings

BEFORE = settings(control=TcpAddress("127.0.0.1", 0))
STRICT, LOOSE = ingress(policy=Policy.REQUIRE), ingress(policy=Policy.PREFER)


@pytest.fixture
def run(supervise):
    return supervise(BEFORE).ready()


def test_what_changed_is_answered_logged_and_shown(run):
    status, answer = run.reload(replace(BEFORE, ingress=(LOOSE, ingress("new"))))

    assert (status, answer["result"], answer["problems"]) == (200, "success", [])
    assert answer["summary"] == "added new; changed llm (policy)"
    assert answer["changes"]["added"] == ["new"]
    assert answer["changes"]["changed"] == {"llm": ["policy"]}
    assert "info reloaded on request: added new; changed llm (policy)\n" in run.log
    assert 'policy="prefer"' in run.get("/metrics")[1]


def test_problems_are_answered_and_logged_one_by_one_and_nothing_changes(run):
    status, answer = run.reload(("proxy.yaml:1:2: first", "proxy.yaml:3:4: second"))

    assert (status, answer["result"]) == (422, "failure")
    assert answer["problems"] == ["proxy.yaml:1:2: first", "proxy.yaml:3:4: second"]
    assert "error reload on request failed, nothing is changed; problems: 2\n" in run.log
    assert "error reload: proxy.yaml:1:2: first\n" in run.log
    assert "error reload: proxy.yaml:3:4: second\n" in run.log
    with run.connect() as connection:
        connection.sendall(b"still")
        assert connection.recv(10) == b"still"


def test_the_same_settings_again_are_a_success_that_changes_nothing(run):
    _, answer = run.reload(BEFORE)

    assert answer["result"] == "success"
    assert "info reloaded on request: nothing has changed\n" in run.log


def test_a_hangup_reloads(run):
    run.rewrite(replace(BEFORE, ingress=(LOOSE,)))
    run.signal(signal.SIGHUP)
    run.until(lambda: "reloaded on SIGHUP: changed llm (policy)" in run.log, "no reload")


def test_a_service_manager_hears_when_a_reload_begins_and_ends(supervise, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        run = supervise(BEFORE, NOTIFY_SOCKET=str(tmp_path / "notify")).ready()
        assert manager.recv(1000).startswith(b"READY=1\n")
        run.reload(("no",))

        assert manager.recv(1000).startswith(b"RELOADING=1\n")
        assert manager.recv(1000) == b"READY=1\nSTATUS=serving llm"


def test_a_port_in_use_is_named_with_who_has_it_and_nothing_changes(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = TcpAddress(*other.getsockname())
        status, answer = run.reload(replace(BEFORE, ingress=(LOOSE, ingress("new", where))))

    assert status == 409
    assert f"ingress new: {where} is in use" in answer["problems"][0]
    assert "listens there" in answer["problems"][0]
    assert 'policy="require"' in run.get("/metrics")[1]


def test_what_a_worker_refuses_is_told_and_nothing_stays_bound(run, free_port):
    where = TcpAddress("127.0.0.1", free_port)
    status, answer = run.reload(replace(BEFORE, ingress=(LOOSE, ingress("unwanted", where))))

    assert status == 409
    assert "it is not wanted" in answer["problems"][0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((where.host, where.port))


def test_while_it_drains_nothing_is_reloaded(run):
    with run.connect() as connection:
        connection.sendall(b"token")
        connection.recv(10)
        run.signal(signal.SIGTERM)
        run.until(lambda: "draining: 1" in run.log, "no drain")
        status, answer = run.reload(replace(BEFORE, ingress=(LOOSE,)))
        run.signal(signal.SIGHUP)
        run.until(lambda: "reload on SIGHUP failed" in run.log, "said nothing")

    assert status == 409
    assert answer["problems"] == ["pqproxy is draining: nothing is reloaded any more"]
    assert run.wait() == 0


def test_a_reader_that_crashes_is_a_failed_reload_and_no_more(run):
    run._settings.write_bytes(b"no pickle")
    status, body = run.get("/reload", "POST", title="control", Host="localhost")

    assert status == 409
    assert "internal error" in body
    assert run.get("/readyz")[0] == 200


def test_a_new_drain_timeout_holds(run):
    run.reload(replace(BEFORE, drain=Drain(0.0)))
    with run.connect() as connection:
        connection.sendall(b"token")
        connection.recv(10)
        run.signal(signal.SIGTERM)

        assert run.wait() == 4


def test_metrics_tell_of_reloads(run):
    run.reload(("no",))
    run.reload(BEFORE)

    assert run.metric('pqproxy_reloads_total{kind="control",result="failure"}') == 1
    assert run.metric('pqproxy_reloads_total{kind="control",result="success"}') == 1
    assert run.metric('pqproxy_reloads_total{kind="signal",result="success"}') == 0
    assert run.metric("pqproxy_reload_last_success_timestamp_seconds") > 1.7e9


def test_a_history_tells_the_last_success_although_the_last_one_failed():
    history = History(100.0)
    history.add(Outcome(Kind.SIGNAL, 200.0, Changes(added=("new",))))
    history.add(Outcome(Kind.CONTROL, 300.0, problems=("no",)))

    assert history.last_success == 200.0
    assert history.last.result is Result.FAILURE
    assert history.counts[Kind.SIGNAL, Result.SUCCESS] == 1
    assert history.counts[Kind.CONTROL, Result.FAILURE] == 1
