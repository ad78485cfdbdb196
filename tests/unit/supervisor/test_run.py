"""The whole life of a run, each time in a process of its own."""

import os
import resource
import signal
import socket
import time

import pytest

from pqproxy.config.values import Drain, Log, Policy, PolicyOrigin, TcpAddress
from tests.support import pki
from tests.support.processes import exists
from tests.unit.supervisor.harness import ingress, settings

ENDED = 'pqproxy_connections_total{end_reason="%s",listener="llm",transport="tls"}'
RECEIVED = 'pqproxy_received_bytes_total{leg="client",listener="llm"}'


def gone(pid):
    return not exists(pid)


def talk(connection, order):
    connection.sendall(order)
    return connection.recv(1000)


def test_readiness_names_each_listener_its_policy_and_its_identities(supervise):
    supervisor = supervise(settings()).ready()

    port = supervisor.address("ingress llm")[1]
    assert (
        f"ingress llm at 127.0.0.1:{port} to 127.0.0.1:9, policy require, authentication any,"
        " identities none" in supervisor.log
    )


def test_a_weaker_policy_of_the_environment_is_a_warning(supervise):
    weaker = ingress(policy=Policy.PREFER, policy_origin=PolicyOrigin.ENVIRONMENT)
    supervisor = supervise(settings(ingress=(weaker,))).ready()

    assert "warning llm: policy prefer comes from FALLBACK_CRYPTO" in supervisor.log


def test_a_certificate_that_ends_is_warned_of_at_the_start_and_every_day(supervise):
    """Whoever runs for months has not read the log of the start."""
    ending = pki.root("ecdsa-p256").issue(not_after=pki.PAST).files("own")
    supervisor = supervise(settings(identities=(ending,)), DAY="0.2").ready()
    warning = "warning the leaf certificate of own ended"
    assert warning in supervisor.log.partition("pqproxy is ready")[0]
    supervisor.until(lambda: supervisor.log.count(warning) > 2, "not again")


def test_off_a_terminal_readiness_is_json(supervise):
    supervisor = supervise(settings(log=Log(format="auto")))

    supervisor.until(lambda: '"message": "pqproxy is ready"' in supervisor.log, "no JSON")


def test_a_port_in_use_ends_with_one_and_a_hint(supervise, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        supervisor = supervise(
            settings(ingress=(ingress(listen=TcpAddress("127.0.0.1", free_port)),))
        )

        assert supervisor.wait() == 1
    assert supervisor.log.startswith(
        f"pqproxy: error: ingress llm: 127.0.0.1:{free_port} is in use\nhint: "
    )
    assert "Traceback" not in supervisor.log


def test_a_worker_that_cannot_start_ends_with_one_and_its_reason(supervise):
    supervisor = supervise(settings(), FAKE_WORKER="broken")

    assert supervisor.wait() == 1
    assert "pqproxy: error: the worker cannot start: provider liboqs is missing\n" in supervisor.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_without_connections_ends_with_zero_and_no_process(supervise, number):
    supervisor = supervise(settings()).ready()
    (worker,) = supervisor.workers()

    supervisor.signal(number)

    assert supervisor.wait() == 0
    assert gone(worker)


def test_a_drain_lets_a_connection_finish(supervise):
    supervisor = supervise(settings()).ready()
    with supervisor.connect() as connection:
        assert talk(connection, b"token") == b"token"
        supervisor.signal(signal.SIGTERM)
        supervisor.until(lambda: "draining: 1 connections" in supervisor.log, "no drain")

        assert talk(connection, b"another") == b"another"
    assert supervisor.wait() == 0


def test_a_drain_stops_listening_at_once(supervise):
    """Our own copy of the socket must not keep a queue that nobody will serve."""
    supervisor = supervise(settings()).ready()
    with supervisor.connect() as connection:
        talk(connection, b"token")
        supervisor.signal(signal.SIGTERM)
        supervisor.until(lambda: "draining" in supervisor.log, "no drain")

        def refused():
            try:
                supervisor.connect().close()
            except OSError:
                return True
            return False

        supervisor.until(refused, "still listening")


def test_a_drain_that_runs_out_resets_and_ends_with_four(supervise):
    supervisor = supervise(settings(drain=Drain(timeout=0.2))).ready()
    with supervisor.connect() as connection:
        talk(connection, b"token")

        supervisor.signal(signal.SIGTERM)

        assert supervisor.wait() == 4
    assert "drain was forced: 1 connection was reset" in supervisor.log


def test_a_second_signal_forces_at_once(supervise):
    supervisor = supervise(settings(drain=Drain(timeout=1000.0))).ready()
    with supervisor.connect() as connection:
        talk(connection, b"token")
        supervisor.signal(signal.SIGTERM)
        supervisor.until(lambda: "draining" in supervisor.log, "no drain")

        supervisor.signal(signal.SIGTERM)

        assert supervisor.wait() == 4
    assert "1 connection was reset" in supervisor.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_when_all_is_done_changes_no_exit_code(supervise, number):
    """An interpreter takes a while to leave, and whoever waits for it may well ask again."""
    supervisor = supervise(settings()).ready()
    supervisor.signal(signal.SIGTERM)
    supervisor.until(lambda: "drained: nothing was reset" in supervisor.log, "no drain")
    while supervisor.process.poll() is None:
        supervisor.signal(number)
        time.sleep(0.001)

    assert supervisor.wait() == 0
    assert "Traceback" not in supervisor.log


def test_a_second_signal_at_the_same_moment_still_counts_what_it_reset(supervise):
    """The first one has only begun to ask the workers what there is to finish."""
    supervisor = supervise(settings(drain=Drain(timeout=1000.0))).ready()
    with supervisor.connect() as connection:
        talk(connection, b"token")
        supervisor.get("/metrics")
        supervisor.signal(signal.SIGTERM)
        supervisor.signal(signal.SIGINT)

        assert supervisor.wait() == 4
    assert "a new one starts" not in supervisor.log


def test_a_hangup_that_is_no_terminals_reloads(supervise):
    supervisor = supervise(settings()).ready()
    with supervisor.connect() as connection:
        talk(connection, b"token")

        supervisor.signal(signal.SIGHUP)
        supervisor.until(lambda: "reloaded on SIGHUP" in supervisor.log, "ignored")

        talk(connection, b"more")


def test_a_hangup_of_the_terminal_it_runs_in_ends_it(supervise):
    reading, terminal = os.openpty()
    supervisor = supervise(settings(), terminal=terminal)
    shown = b""
    while b"pqproxy is ready" not in shown:
        shown += os.read(reading, 4096)

    supervisor.signal(signal.SIGHUP)

    assert supervisor.wait() == 0
    os.close(reading)
    os.close(terminal)


def test_the_hard_limit_of_descriptors_is_used(supervise):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    supervisor = supervise(settings()).ready()

    assert resource.prlimit(supervisor.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_hanging_worker_is_killed_by_a_forced_drain(supervise):
    supervisor = supervise(settings()).ready()
    (worker,) = supervisor.workers()
    with supervisor.connect() as connection:
        talk(connection, b"token")
        supervisor.get("/metrics")
        connection.sendall(b"hang")
        supervisor.signal(signal.SIGTERM)
        supervisor.until(lambda: "draining" in supervisor.log, "no drain")

        supervisor.signal(signal.SIGTERM)

        assert supervisor.wait() == 4
    assert gone(worker)


def test_a_dead_worker_is_replaced_and_its_counters_stay(supervise):
    supervisor = supervise(settings()).ready()
    with supervisor.connect() as connection:
        talk(connection, b"token")
        before = supervisor.metric(RECEIVED)
        talk(connection, b"die")

    supervisor.until(
        lambda: (
            supervisor.metric("pqproxy_worker_restarts_total") == 1
            and supervisor.get("/readyz")[0] == 200
        ),
        "not replaced",
    )

    assert before == 5
    assert supervisor.metric(RECEIVED) == before
    assert supervisor.metric(ENDED % "internal_error") == 1
    assert "and cut 1 connections" in supervisor.log
    with supervisor.connect() as connection:
        talk(connection, b"more")
        assert supervisor.metric(RECEIVED) == before + 4


def test_a_connection_that_comes_while_no_worker_runs_is_served(supervise):
    supervisor = supervise(settings()).ready()
    (worker,) = supervisor.workers()
    os.kill(worker, signal.SIGSTOP)  # it will not accept this one
    with supervisor.connect() as connection:
        connection.sendall(b"patient")
        os.kill(worker, signal.SIGKILL)

        assert connection.recv(1000) == b"patient"


@pytest.mark.parametrize("order", [b"rubbish", b"endless"])
def test_a_worker_that_talks_nonsense_is_replaced(supervise, order):
    supervisor = supervise(settings()).ready()
    (worker,) = supervisor.workers()
    with supervisor.connect() as connection:
        talk(connection, order)

        supervisor.until(lambda: "talks nonsense" in supervisor.log, "tolerated")
        supervisor.until(lambda: gone(worker), "still there")


def test_no_worker_outlives_a_killed_supervisor(supervise):
    supervisor = supervise(settings()).ready()
    (worker,) = supervisor.workers()

    supervisor.process.kill()
    supervisor.process.wait()

    # `until` would stop looking, since the process that it watches is gone.
    deadline = time.monotonic() + 20
    while not gone(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone(worker)


def test_a_signal_before_readiness_ends_cleanly(supervise):
    supervisor = supervise(settings(), FAKE_WORKER="silent")
    supervisor.until(supervisor.workers, "no worker")

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait() in (0, -signal.SIGTERM)
    assert "Traceback" not in supervisor.log


def test_no_core_dump_can_hold_a_key(supervise):
    supervisor = supervise(settings()).ready()
    (worker,) = supervisor.workers()

    with open(f"/proc/{worker}/limits") as limits:
        line = next(line for line in limits if line.startswith("Max core file size"))

    assert line.split()[4:6] == ["0", "0"]


def test_a_run_without_stderr_serves_and_logs_into_no_socket(supervise):
    """The first socket that is opened would be descriptor 2 and get every line."""
    supervisor = supervise(settings(), without_stderr=True)
    supervisor.until(supervisor.workers, "no worker")
    (worker,) = supervisor.workers()

    opened = {pid: os.readlink(f"/proc/{pid}/fd/2") for pid in (supervisor.process.pid, worker)}

    assert set(opened.values()) == {"/dev/null"}
    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait() in (0, -signal.SIGTERM)
