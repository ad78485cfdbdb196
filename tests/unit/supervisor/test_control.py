import dataclasses
import http.client
import json
import signal
import socket

import pytest

from pqproxy.config import values as config
from pqproxy.config.redaction import redacted
from pqproxy.config.values import TcpAddress, TrustFiles, UnixAddress
from pqproxy.supervisor.changes import Changes
from pqproxy.supervisor.control import Report
from pqproxy.supervisor.drain import Drain
from pqproxy.supervisor.reloading import History, Kind, Outcome
from pqproxy.telemetry.callers import Caller
from pqproxy.telemetry.endpoints import Endpoint
from pqproxy.telemetry.evidence import Evidence
from pqproxy.telemetry.labels import Decision, HandshakeResult
from pqproxy.telemetry.ledger import Entry, Protection
from pqproxy.telemetry.observed import Objection, Offered
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from tests.support import pki
from tests.unit.supervisor.harness import ingress, settings
from tests.unit.supervisor.stubs import StubCrew

LOCAL = TcpAddress("127.0.0.1", 0)


def exchange(connection):
    connection.sendall(b"token")
    assert connection.recv(100) == b"token"


def with_secrets():
    """Settings that hold a real key, and the settings' every secret or file content."""
    root = pki.root("ecdsa-p256")
    leaf = root.issue()
    files = leaf.files("hybrid")
    held = dataclasses.replace(
        settings(ingress=(ingress(identities=("hybrid",)),)),
        identities=(files,),
        trust=(TrustFiles("mesh", (root.certificate_pem,), "mesh.pem"),),
    )
    return held, (files.key, files.certificate, root.certificate_pem)


class StubBound:
    def addresses(self, listener):
        return ["127.0.0.1:8443"]


def report_of(held):
    crew = StubCrew(held)
    return Report(crew, StubBound(), History(1000.0), Drain(crew), lambda: 12.5, 10.0)


@pytest.mark.parametrize("page", [redacted, lambda held: report_of(held).status()])
def test_no_page_holds_a_byte_of_a_file(page):
    held, contents = with_secrets()

    shown = json.dumps(page(held))

    assert "PRIVATE KEY" not in shown
    assert "BEGIN" not in shown
    for content in contents:
        body = content.decode().splitlines()[1]
        assert body not in shown


def test_status_tells_workers_listeners_and_ends():
    held, _ = with_secrets()
    report = report_of(held)
    llm = report.crew.totals().listeners["llm"]
    llm.opened()
    llm.opened()
    llm.opened()  # a tunnel, which is told of by itself
    llm.closed("tls", EndReason.FINISHED)
    llm.tunnel_opened()
    llm.tunnel_opened()
    llm.tunnel_closed(TunnelEnd.REPLACED)
    llm.opened()  # another one, that is gone
    llm.closed("tls", EndReason.FINISHED)
    llm.round_trip(0.25)
    llm.endpoints.replace({"a:1": Endpoint(why="connection refused")})

    status = json.loads(json.dumps(report.status()))

    assert status["uptime_seconds"] == 2.5
    assert status["workers"] == [
        {"pid": 4711, "ready": True, "lag_seconds": 0.002, "connections_active": 3}
    ]
    assert status["worker_restarts"] == 2
    (listener,) = status["listeners"]
    assert listener["listen"] == ["127.0.0.1:8443"]
    assert listener["identities"] == ["hybrid"]
    assert (listener["connections_active"], listener["connections_ended"]) == (1, 1)
    assert listener["tunnels"] == {
        "mode": "auto",
        "active": 1,
        "streams": 0,
        "buffered_bytes": 0,
        "round_trip_seconds": 0.25,
        "endpoints": [
            {"address": "a:1", "tunnels": 0, "plain": False, "why": "connection refused"}
        ],
        "closes": [{"reason": "replaced", "count": 1}],
    }
    assert listener["ends"] == [{"transport": "tls", "end_reason": "finished", "count": 2}]
    assert status["certificates"][0] == {
        "identity": "hybrid",
        "role": "leaf",
        "not_after": pki.NOT_AFTER.isoformat(),
        "warning": None,
    }


def test_a_certificate_that_ends_soon_is_marked_in_the_status():
    """Dashboards have the date; people have a word for it."""
    ended = pki.root("ecdsa-p256").issue(not_after=pki.PAST).files("own")
    crew = StubCrew(settings(identities=(ended,)))
    report = Report(crew, StubBound(), History(0.0), Drain(crew), lambda: 0.0)

    (end,) = report.status()["certificates"]
    assert end["warning"].startswith("the leaf certificate of own ended (2021-01-01")


def with_evidence(held):
    report = report_of(held)
    evidence = report.crew.evidence["llm"] = Evidence()
    caller = Caller.of("spiffe://corp/app", "10.0.0.1")
    objection = Objection(caller, Decision.WOULD_REFUSE, ReasonCode.NO_PQ_GROUP)
    for moment in range(60):
        offered = Offered.of("10.0.0.1", ["x25519"])
        evidence.observed.note(objection, offered, 1.0)
        group = Protection(f"group-{moment}", False, "suite", None, None, False)
        evidence.ledger.note(Entry(caller, group), "10.0.0.1", 1.0)
    return report


def test_status_shows_the_newest_evidence_and_a_page_of_its_own_all_of_it():
    """Status is also a health check: it stays small however many callers there are."""
    held, _ = with_secrets()
    report = with_evidence(held)

    (listener,) = json.loads(json.dumps(report.status()))["listeners"]
    assert listener["observed"]["rows"] == 1
    assert listener["observed"]["newest"][0]["count"] == 60
    assert listener["ledger"]["rows"] == 60
    assert len(listener["ledger"]["newest"]) == 50

    (listener,) = json.loads(json.dumps(report.table("ledger")))["listeners"]
    assert (listener["name"], listener["policy"], listener["forgotten"]) == ("llm", "require", 0)
    assert len(listener["rows"]) == 60
    (listener,) = report.table("observed")["listeners"]
    assert [row["identity"] for row in listener["rows"]] == ["spiffe://corp/app"]


@pytest.mark.parametrize("page", ["/observed", "/ledger"])
def test_a_listener_that_nobody_came_to_has_an_empty_table(idle, page):
    status, body = idle.get(page, title="control", Host="localhost")[:2]

    assert status == 200
    (listener,) = json.loads(body)["listeners"]
    assert (listener["rows"], listener["forgotten"]) == ([], 0)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:9", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example:80", 403),
        ("evil.example:80", 403),
        ("localhost:80:80", 403),
        ("", 403),
    ],
)
def test_a_page_is_given_only_under_a_local_name(idle, host, status):
    """A web page can point its own name at 127.0.0.1 and have a browser read us."""
    assert idle.get("/status", title="control", Host=host)[0] == status
    assert idle.get("/nothing", title="control", Host=host)[0] == (404 if status == 200 else 403)


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
def test_a_page_of_control_is_only_read(idle, method):
    assert idle.get("/status", method, title="control", Host="localhost")[0] == 405


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Host": "localhost"}, 405),
        ("POST", {"Host": "evil.example"}, 403),
        ("POST", {"Host": "localhost", "Origin": "https://evil.example"}, 403),
        ("POST", {"Host": "localhost", "Origin": "null"}, 403),
    ],
)
def test_a_drain_is_begun_by_nothing_that_a_web_page_can_send(idle, method, headers, status):
    assert idle.get("/drain", method, title="control", **headers)[0] == status
    assert idle.get("/readyz")[0] == 200


@pytest.mark.parametrize("body", [b"{wait", b"[" * 1000], ids=["broken", "too deep"])
def test_a_body_that_is_not_json_begins_nothing(idle, body):
    host, port = idle.address("control")
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("POST", "/drain", body, {"Host": "localhost"})

    assert connection.getresponse().status == 400
    assert idle.get("/readyz")[0] == 200
    connection.close()


def test_a_drain_goes_on_accepting_and_then_finishes(supervise):
    """Balancers need the delay to learn that we are not ready; signals shorten it."""
    held = settings(control=LOCAL, drain=config.Drain(timeout=20.0, delay=1000.0))
    supervisor = supervise(held).ready()
    with supervisor.connect() as first:
        exchange(first)

        answer = json.loads(supervisor.get("/drain", "POST", title="control")[1])

        assert (answer["phase"], answer["connections"]) == ("accepting", 1)
        assert 900 < answer["seconds_left"] <= 1000
        assert supervisor.get("/readyz") == (503, "draining\n")
        assert supervisor.metric("pqproxy_draining") == 1
        with supervisor.connect() as second:
            exchange(second)
            supervisor.signal(signal.SIGTERM)
            supervisor.until(lambda: "2 connections have 20 s" in supervisor.log, "not finishing")
            status = json.loads(supervisor.get("/status", title="control")[1])
            assert status["drain"]["phase"] == "finishing"
            assert status["drain"]["connections"] == 2
            exchange(second)
    assert supervisor.wait() == 0


@pytest.mark.parametrize(
    ("timeout", "finished", "reset", "code"), [(1000.0, 1, 0, 0), (0.1, 0, 1, 4)]
)
def test_who_waits_for_a_drain_learns_how_it_went(supervise, timeout, finished, reset, code):
    held = settings(control=LOCAL, drain=config.Drain(timeout=timeout, delay=0.0))
    supervisor = supervise(held).ready()
    waiting = http.client.HTTPConnection(*supervisor.address("control"), timeout=20)
    with supervisor.connect() as connection:
        exchange(connection)
        waiting.request("POST", "/drain", b'{"wait": true}')
        supervisor.until(lambda: "1 connections have" in supervisor.log, "not finishing")
        if finished:
            connection.close()
        answer = json.loads(waiting.getresponse().read())
    waiting.close()

    assert answer["phase"] == "over"
    assert (answer["finished"], answer["reset"]) == (finished, reset)
    assert supervisor.wait() == code


def test_control_answers_on_a_unix_socket(supervise, tmp_path):
    path = tmp_path / "control.sock"
    supervise(settings(control=UnixAddress(str(path)))).ready()
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))

    connection.request("GET", "/status")

    assert json.loads(connection.getresponse().read())["ready"] is True
    connection.close()


def test_what_was_counted_is_told_with_the_names_of_the_metrics():
    held, _ = with_secrets()
    report = report_of(held)
    counters = report.crew.totals().listeners["llm"]
    counters.decision(Decision.REFUSED, ReasonCode.NOT_ALLOWED)
    counters.handshake("x25519", None, None, False, HandshakeResult.COMPLETED, 0.1)

    (listener,) = report.status()["listeners"]

    assert listener["decisions"] == [{"decision": "refused", "reason": "not_allowed", "count": 1}]
    assert listener["handshakes"] == [
        {
            "group": "x25519",
            "signature": "none",
            "peer_signature": "none",
            "resumed": "false",
            "result": "completed",
            "count": 1,
        }
    ]


def test_a_removed_listener_is_told_of_while_its_connections_live():
    """An operator looks there for what still keeps an old policy alive."""
    report = report_of(settings())
    counters = report.crew.totals().listeners["llm"]
    counters.opened()
    report.crew.in_force.replace(settings(ingress=(ingress(name="another"),)))
    (listener,) = report.status()["listeners"]
    assert (listener["name"], listener["removed"], listener["listen"]) == ("llm", True, [])

    counters.closed("tls", EndReason.FINISHED)
    assert report.status()["listeners"] == []


def test_status_tells_of_the_last_reload():
    report = report_of(settings())
    assert report.status()["last_reload"] is None
    report.reloads.add(Outcome(Kind.SIGNAL, 0.0, Changes(added=("llm",))))

    told = json.loads(json.dumps(report.status()))["last_reload"]
    assert (told["kind"], told["result"], told["at"]) == (
        "signal",
        "success",
        "1970-01-01T00:00:00+00:00",
    )
    assert told["changes"]["added"] == ["llm"]
    assert told["problems"] == []


@pytest.mark.parametrize("header", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "none"}])
def test_no_page_in_a_browser_makes_us_reload(idle, header):
    """It may post to loopback under a local name, but its browser says where it is from."""
    assert idle.get("/reload", "POST", title="control", Host="localhost", **header)[0] == 403


def test_a_reload_is_no_page_to_look_at(idle):
    assert idle.get("/reload", "GET", title="control", Host="localhost")[0] == 405
    assert idle.get("/reload", "POST", title="control", Host="evil.example")[0] == 403
