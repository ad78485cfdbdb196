import http.client
import select
import signal

import pytest

from pqproxy.config.values import Drain
from pqproxy.supervisor.health import FAILED_DIAL, HUNG, why_unhealthy, why_unready
from pqproxy.telemetry.labels import ConnectResult
from tests.unit.supervisor.harness import settings
from tests.unit.supervisor.stubs import StubCrew


def crew_after_dials(*dials):
    """A crew whose listener dialled at these times, with these results."""
    crew = StubCrew()
    llm = crew.counters.listeners["llm"]
    for moment, result in dials:
        llm._clock = lambda moment=moment: moment
        llm.upstream_connect(result, 0.01)
    return crew


def test_ready_before_anything_was_dialled():
    """A connect probe of our own would be a stray connection at the model server."""
    assert why_unready(StubCrew()) is None


def test_not_ready_while_draining():
    crew = StubCrew()
    crew.draining = True

    assert why_unready(crew) == "draining"


def test_not_ready_while_no_worker_serves():
    crew = StubCrew()
    crew.serves = False

    assert why_unready(crew) == "no worker serves yet"


@pytest.mark.parametrize(
    ("dials", "ready"),
    [
        ([(100.0, ConnectResult.CONNECTED)], True),
        ([(100.0, ConnectResult.REFUSED)], False),
        ([(100.0, ConnectResult.CONNECTED), (101.0, ConnectResult.TIMEOUT)], False),
        ([(100.0, ConnectResult.REFUSED), (101.0, ConnectResult.CONNECTED)], True),
    ],
)
def test_readiness_follows_the_last_real_dial(dials, ready):
    crew = crew_after_dials(*dials)

    assert (why_unready(crew, lambda: 102.0) is None) == ready


def test_a_failed_dial_does_not_keep_us_unready_for_ever():
    """While we are not ready nobody connects, so nothing would ever dial again."""
    crew = crew_after_dials((100.0, ConnectResult.REFUSED))

    assert why_unready(crew, lambda: 100.0 + FAILED_DIAL) is not None
    assert why_unready(crew, lambda: 100.1 + FAILED_DIAL) is None


@pytest.mark.parametrize(("role", "ready"), [("egress", True), ("ingress", False)])
def test_an_egress_with_a_tunnel_is_ready_whichever_other_endpoint_is_down(role, ready):
    """A tunnel that an ingress has says nothing of its model server."""
    crew = crew_after_dials((100.0, ConnectResult.REFUSED))
    llm = crew.counters.listeners["llm"]
    llm.role = role

    llm.tunnel_opened()

    assert (why_unready(crew, lambda: 101.0) is None) is ready


def test_liveness_knows_nothing_of_the_upstream():
    crew = crew_after_dials((100.0, ConnectResult.REFUSED))
    crew.draining = True

    assert why_unhealthy(crew) is None


def test_a_busy_worker_is_alive_and_a_hanging_one_is_not():
    crew = StubCrew()
    crew.workers[0].lag = HUNG
    assert why_unhealthy(crew) is None
    crew.workers[0].lag = HUNG + 1
    assert why_unhealthy(crew) == "a worker hangs"


def test_the_three_pages_answer(idle):
    assert idle.get("/healthz") == (200, "ok\n")
    assert idle.get("/readyz") == (200, "ok\n")
    assert "pqproxy_build_info{" in idle.get("/metrics")[1]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/drained"])
def test_the_health_listener_only_reads(idle, method, path):
    assert idle.get(path, method)[0] == 405


@pytest.mark.parametrize("path", ["/", "/status", "/config", "/drain", "/healthz/"])
def test_the_health_listener_tells_nothing_else(idle, path):
    assert idle.get(path)[0] == 404


def test_health_and_metrics_answer_while_the_worker_hangs(supervise):
    supervisor = supervise(settings()).ready()
    with supervisor.connect() as connection:
        connection.sendall(b"hang")

        assert supervisor.get("/healthz")[0] == 200
        assert "pqproxy_connections_active" in supervisor.get("/metrics")[1]


def test_not_ready_is_said_while_a_drain_goes_on(supervise):
    supervisor = supervise(settings()).ready()
    with supervisor.connect() as connection:
        connection.sendall(b"token")
        connection.recv(10)
        supervisor.signal(signal.SIGTERM)
        supervisor.until(lambda: "draining: 1" in supervisor.log, "no drain")

        assert supervisor.get("/readyz") == (503, "draining\n")
        assert supervisor.get("/healthz")[0] == 200
        assert supervisor.metric("pqproxy_draining") == 1


def test_drained_begins_a_drain_and_answers_when_the_last_connection_ended(supervise):
    """What a model server's container asks for before it ends, so that no answer is cut."""
    supervisor = supervise(settings(drain=Drain(timeout=1000.0, delay=0.0))).ready()
    asking = http.client.HTTPConnection(*supervisor.address("health"), timeout=20)
    with supervisor.connect() as connection:
        connection.sendall(b"token")
        connection.recv(10)
        asking.request("GET", "/drained")
        supervisor.until(lambda: "1 connections have" in supervisor.log, "no drain")
        assert supervisor.get("/readyz") == (503, "draining\n")
        assert not select.select([asking.sock], [], [], 0.1)[0], "answered too early"
    answer = asking.getresponse()

    assert answer.read() == b"drained: nothing was reset, 1 connections finished\n"
    assert supervisor.wait() == 0
    asking.close()


@pytest.mark.parametrize(
    "header",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"REFERER": "http://page.example/"},
        {"origin": "null"},
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"},
    ],
    ids=["to loopback", "to a pod", "script", "no referrer"],
)
def test_an_image_in_a_page_ends_no_run(idle, header):
    """Any page that somebody has open on this machine may embed http://127.0.0.1:PORT/drained."""
    asking = http.client.HTTPConnection(*idle.address("health"), timeout=20)
    asking.request("GET", "/drained", headers=header)

    assert asking.getresponse().status == 403
    asking.close()
    assert idle.get("/readyz") == (200, "ok\n")


def test_several_may_wait_for_one_drain(supervise):
    supervisor = supervise(settings(drain=Drain(timeout=1000.0, delay=0.1))).ready()
    asking = [http.client.HTTPConnection(*supervisor.address("health"), timeout=20) for _ in "ab"]
    for one in asking:
        one.request("GET", "/drained")

    assert [one.getresponse().status for one in asking] == [200, 200]
    assert supervisor.wait() == 0
    for one in asking:
        one.close()
