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


@pytest.fixture
def renewed(supervise, tmp_path):
    """One whose settings stand in for the files that they name."""
    watched = replace(BEFORE, files=(str(tmp_path / "0" / "settings.pickle"),))
    return supervise(watched).ready()


def test_files_that_change_are_taken_without_being_asked_for(renewed):
    renewed.rewrite(replace(BEFORE, ingress=(LOOSE,)))
    said = "info reloaded on a change of files: changed llm (policy)\n"
    renewed.until(lambda: said in renewed.log, "not taken")

    assert renewed.metric('pqproxy_reloads_total{kind="files",result="success"}') == 1
    assert 'policy="prefer"' in renewed.get("/metrics")[1]


def test_files_that_are_half_written_are_told_in_one_line_once_and_taken_when_whole(renewed):
    """They are tried again and again: neither the log nor the counter grows with that."""
    renewed.rewrite(("the key does not fit", "the roots are cut"))
    why = "renewed files are not taken, what is in force stays: the key does not fit; the roots"
    renewed.until(lambda: why in renewed.log, "not refused")
    failures = 'pqproxy_reloads_total{kind="files",result="failure"}'
    assert renewed.metric(failures) == 1
    renewed.rewrite(replace(BEFORE, ingress=(LOOSE,)))
    renewed.until(lambda: "reloaded on a change of files" in renewed.log, "not taken")

    assert renewed.metric(failures) == 1
    assert renewed.log.count("renewed files are not taken") == 1


def test_files_that_hold_the_same_as_before_leave_no_trace(renewed):
    renewed.rewrite(replace(BEFORE, environment_policy=Policy.REQUIRE))  # other bytes, no change
    renewed.rewrite(replace(BEFORE, ingress=(LOOSE,)))
    renewed.until(lambda: "reloaded on a change of files" in renewed.log, "not taken")

    assert "nothing has changed" not in renewed.log
    assert renewed.metric('pqproxy_reloads_total{kind="files",result="success"}') == 1


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


def test_a_renewal_is_news_when_it_changes_something_or_fails_otherwise_than_before():
    """What is tried again every minute is told once; that it is over is told too."""
    history = History(100.0)
    same, half = Outcome(Kind.FILES, 200.0), Outcome(Kind.FILES, 200.0, problems=("half",))
    assert not history.has_news(same)
    assert history.has_news(Outcome(Kind.FILES, 200.0, Changes(identities=("own",))))
    assert history.has_news(half)
    history.add(half)

    assert not history.has_news(half)
    assert history.has_news(Outcome(Kind.FILES, 300.0, problems=("other",)))
    assert history.has_news(same)
    history.add(Outcome(Kind.CONTROL, 300.0, problems=("half",)))
    assert not history.has_news(same)
    assert history.has_news(half)
