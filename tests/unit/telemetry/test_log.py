import json
import logging
import os
import sys
from dataclasses import replace

import pytest

from pqproxy.telemetry import log
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd

CONNECTION = log.ConnectionLine(
    listener="llm",
    peer="192.0.2.1:5000",
    end_reason=EndReason.FINISHED,
    duration=1.23456789,
    received=100,
    sent=2000,
    first_byte=0.25,
    identity="spiffe://demo/app",
    server_name="llm.example",
    group="X25519MLKEM768",
)
REFUSAL = log.RefusalLine(
    listener="llm",
    peer="192.0.2.1:5000",
    reason=ReasonCode.NO_PQ_GROUP,
    detail="no post-quantum group",
    fix="put an egress sidecar before this client",
    offered="x25519, secp256r1",
)
TUNNEL_UP = log.TunnelUpLine(
    listener="to-llm",
    tunnel="3f2a91c0",
    upstream="192.0.2.9:8443",
    identity="spiffe://demo/llm",
    group="X25519MLKEM768",
)
TUNNEL_CLOSED = log.TunnelClosedLine(
    listener="to-llm",
    tunnel="3f2a91c0",
    upstream="192.0.2.9:8443",
    identity="spiffe://demo/llm",
    group="X25519MLKEM768",
    end_reason=TunnelEnd.REPLACED,
    duration=3600.5,
    streams=1200,
)
EJECTED = log.EjectedLine(
    listener="to-llm",
    upstream="192.0.2.9:8443",
    reason=ReasonCode.UPSTREAM_DOWN,
    detail="192.0.2.9:8443: connection refused",
    fix="see whether a server runs and listens there",
)


@pytest.fixture
def stderr(monkeypatch):
    """Reads what was logged; logging goes back to what it was afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    monkeypatch.setattr(log.StderrHandler.__init__, "__defaults__", (writing,))

    yield lambda: os.read(reading, 1 << 16).decode()

    root.handlers[:], root.level = before
    os.close(reading)
    os.close(writing)


def record(message, *arguments, exc_info=None):
    return logging.LogRecord("pqproxy", logging.INFO, "", 0, message, arguments, exc_info)


def test_a_connection_is_one_json_object_off_a_terminal(stderr):
    log.configure("auto", tty=False)

    log.write(CONNECTION)

    entry = json.loads(stderr())
    assert entry["event"] == "connection"
    assert entry["level"] == "info"
    assert entry["duration"] == 1.234568
    assert entry["sent"] == 2000
    assert entry["identity"] == "spiffe://demo/app"
    assert entry["end_reason"] == "finished"
    assert "alpn" not in entry  # nothing was negotiated: no field


def test_a_connection_is_one_text_line_on_a_terminal(stderr):
    log.configure("auto", tty=True)

    log.write(CONNECTION)

    line = stderr()
    assert line.count("\n") == 1
    assert " info connection listener=llm peer=192.0.2.1:5000 end_reason=finished " in line
    assert "group=X25519MLKEM768" in line


@pytest.mark.parametrize(
    ("kind", "shown"), [("text", " resumed=true "), ("json", ' "resumed": true, ')]
)
def test_a_resumed_connection_says_so_and_another_says_nothing(stderr, kind, shown):
    log.configure(kind)
    log.write(replace(CONNECTION, resumed=True, upstream="127.0.0.1:8000"))
    assert shown in stderr()

    log.write(CONNECTION)
    assert "resumed" not in stderr()


@pytest.mark.parametrize("end_reason", EndReason)
@pytest.mark.parametrize("connections", [True, False])
def test_what_is_left_out_is_known_before_its_line_is_made(stderr, end_reason, connections):
    """A line takes longer to make than to drop."""
    log.configure("json", connections)
    line = log.ConnectionLine("llm", "192.0.2.1:5000", end_reason, 1.0)
    log.write(
        replace(CONNECTION, end_reason=EndReason.UPSTREAM_DOWN)
    )  # or there is nothing to read

    log.write(line)

    assert log.leaves_out(end_reason) == (len(stderr().splitlines()) == 1)


def test_a_stream_has_all_that_a_connection_has_and_names_its_tunnel(stderr):
    """Who asks whether a request was protected must find it by the line of that request."""
    log.configure("text")

    log.write(CONNECTION)
    log.write(replace(CONNECTION, transport="stream", tunnel="3f2a91c0", stream=17, client="a:1"))

    plain, stream = stderr().splitlines()
    assert " transport=tls identity=" in plain
    assert " transport=stream tunnel=3f2a91c0 stream=17 client=a:1 identity=" in stream
    assert "group=X25519MLKEM768" in stream


def test_a_tunnel_says_with_whom_it_is_up_and_what_it_carried(stderr):
    log.configure("json")

    log.write(TUNNEL_UP)
    log.write(TUNNEL_CLOSED)

    up, closed = map(json.loads, stderr().splitlines())
    assert (up["event"], closed["event"]) == ("tunnel_up", "tunnel_closed")
    for line in (up, closed):
        assert (line["tunnel"], line["transport"]) == ("3f2a91c0", "tls")
        assert (line["identity"], line["group"]) == ("spiffe://demo/llm", "X25519MLKEM768")
    assert (closed["end_reason"], closed["streams"], closed["reset"]) == ("replaced", 1200, 0)
    assert "round_trip" not in closed  # it was not asked


@pytest.mark.parametrize("end", TunnelEnd)
def test_a_tunnel_that_nobody_meant_to_end_is_a_warning(end):
    intended = {"replaced", "retired", "peer_retired", "drained"}

    level = replace(TUNNEL_CLOSED, end_reason=end).level

    assert level == (logging.INFO if end in intended else logging.WARNING)


def test_an_endpoint_that_is_out_is_told_of_and_so_is_its_return(stderr):
    """Also where lines of connections are not wanted: the second says that the first is mended."""
    log.configure("json", connections=False)

    log.write(EJECTED)
    log.write(log.ReturnedLine("to-llm", "192.0.2.9:8443"))

    out, back = map(json.loads, stderr().splitlines())
    assert (out["event"], out["level"]) == ("endpoint_ejected", "warning")
    assert (out["reason"], out["left"]) == ("upstream_down", 0)
    assert out["fix"] == EJECTED.fix
    assert (back["event"], back["level"]) == ("endpoint_returned", "info")
    assert back["upstream"] == out["upstream"]


def test_a_refusal_names_offer_reason_and_fix(stderr):
    log.configure("text")

    log.write(REFUSAL)

    line = stderr()
    assert " warning refused " in line
    assert "reason=no_pq_group" in line
    assert 'offered="x25519, secp256r1"' in line
    assert 'fix="put an egress sidecar before this client"' in line


def test_connection_lines_can_be_left_out_and_refusals_not(stderr):
    log.configure("text", connections=False)

    log.write(CONNECTION)
    log.write(TUNNEL_UP)
    log.write(TUNNEL_CLOSED)
    log.write(REFUSAL)

    assert [line.split()[2] for line in stderr().splitlines()] == ["refused"]


@pytest.mark.parametrize(
    ("end", "more"),
    [
        (EndReason.UPSTREAM_DOWN, {"reason": ReasonCode.UPSTREAM_DOWN}),
        (EndReason.UPSTREAM_ALERT, {}),  # the other side refuses us
        (EndReason.CLIENT_ALERT, {"fix": "give it our root"}),
        (EndReason.INTERNAL_ERROR, {}),
        (EndReason.UPSTREAM_LEFT, {}),  # killed in mid-answer
    ],
)
def test_a_connection_in_trouble_is_a_warning_that_is_never_left_out(stderr, end, more):
    log.configure("json", connections=False)

    log.write(log.ConnectionLine("llm", "192.0.2.1:1", end, 0.0, **more))

    entry = json.loads(stderr())
    assert (entry["level"], entry["end_reason"]) == ("warning", end)


@pytest.mark.parametrize("end", [EndReason.CLIENT_LEFT, EndReason.CLIENT_ALERT])
def test_a_client_that_gives_up_is_routine(stderr, end):
    """Somebody pressed stop, or a client did not like our certificate."""
    log.configure("json")

    log.write(log.ConnectionLine("llm", "192.0.2.1:1", end, 0.0))

    assert json.loads(stderr())["level"] == "info"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_name_chosen_by_a_peer_forges_neither_line_nor_field(stderr, log_format):
    log.configure(log_format)
    evil = 'x\n2026 info connection listener=llm\r\x1b[2J"\u2028\udc80 identity=root'

    log.write(log.ConnectionLine("llm", "192.0.2.1:1", EndReason.FINISHED, 0.0, server_name=evil))

    line = stderr()
    assert line.count("\n") == 1
    assert line.isascii()
    assert line[:-1].isprintable()
    if log_format == "json":
        assert json.loads(line).keys().isdisjoint({"identity"})
    else:
        assert 'server_name="x' in line  # quoted: what follows is no field


def test_a_long_value_is_bounded(stderr):
    log.configure("json")

    log.write(log.ConnectionLine("llm", "p", EndReason.FINISHED, 0.0, server_name="\x00" * 10**6))

    assert len(json.loads(stderr())["server_name"]) <= log.LONGEST_VALUE + len("...")


def test_the_longest_line_fits_into_one_write_of_a_pipe():
    """Beyond PIPE_BUF the lines of two processes mix."""
    evil = '"' * 10_000
    line = log.RefusalLine("llm", "p", ReasonCode.PLAINTEXT, evil, evil, evil, evil, evil)

    shown = log.JsonFormatter().format(record(line))

    assert len(shown) < 4096


def test_a_traceback_stays_in_its_line():
    try:
        raise RuntimeError("broken\nin two lines")
    except RuntimeError:
        shown = log.TextFormatter().format(record("failed: %s", "x", exc_info=sys.exc_info()))

    assert "\n" not in shown
    assert "RuntimeError: broken" in shown


def test_a_closed_stderr_stops_nothing():
    reading, writing = os.pipe()
    handler = log.StderrHandler(writing)
    handler.setFormatter(log.TextFormatter())
    os.close(reading)
    os.close(writing)

    handler.emit(record("hello"))

    assert handler.dropped == 1


def test_a_reader_that_has_gone_stops_nothing():
    reading, writing = os.pipe()
    handler = log.StderrHandler(writing)
    handler.setFormatter(log.TextFormatter())
    os.close(reading)

    handler.emit(record("hello"))

    os.close(writing)
    assert handler.dropped == 1


def test_a_reader_that_does_not_read_costs_lines_and_no_waiting():
    """A stuck log collector must not stall tokens."""
    reading, writing = os.pipe()
    handler = log.StderrHandler(writing)
    handler.setFormatter(log.TextFormatter())

    for _ in range(1000):  # a pipe holds 64 KB
        handler.emit(record("x" * 700))

    os.close(reading)
    os.close(writing)
    assert 0 < handler.dropped < 1000


def test_how_many_lines_were_dropped_is_said_as_soon_as_lines_are_read_again():
    reading, writing = os.pipe()
    handler = log.StderrHandler(writing)
    handler.setFormatter(log.TextFormatter())
    while not handler.dropped:
        handler.emit(record("x" * 700))
    handler.emit(record("lost too"))

    os.read(reading, 1 << 20)
    handler.emit(record("back"))
    shown = os.read(reading, 1 << 20).decode()

    os.close(reading)
    os.close(writing)
    assert "warning 2 log lines were dropped" in shown.splitlines()[0]
    assert shown.splitlines()[1].endswith("back")
    assert handler.dropped == 0


def test_a_message_that_cannot_be_formatted_stops_nothing():
    handler = log.StderrHandler(2)
    handler.setFormatter(log.TextFormatter())

    handler.emit(record("%d", "not a number"))

    assert handler.dropped == 1
