"""Probes and metrics of a model server that only this machine can reach."""

import asyncio
import contextlib
import socket

import pytest
from aiohttp import web

from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.supervisor import upstream
from pqproxy.supervisor.admin import AdminServer
from pqproxy.supervisor.upstream import fetch, upstream_handlers
from tests.unit.supervisor.harness import ingress, settings


async def health(request):
    return web.Response(status=503 if request.query.get("full") else 200, text="model is well\n")


async def metrics(request):
    return web.Response(text="tokens 1\n", content_type="text/plain", charset="utf-8")


async def moved(request):
    raise web.HTTPFound("http://169.254.169.254/")


async def seen(request):
    return web.Response(text=f"{request.method} {request.path_qs} {request.headers['Host']}")


MODEL = {"/health": health, "/metrics": metrics, "/moved": moved, "/seen": seen}


@contextlib.asynccontextmanager
async def serving(handlers, sock=None):
    """An aiohttp server on loopback, or on `sock`."""
    sock = sock or socket.create_server(("127.0.0.1", 0))
    server = AdminServer(handlers)
    await server.start([sock])
    try:
        yield sock
    finally:
        await server.close()
        sock.close()


def asked(path, **configured):
    """The answer of our health listener to GET `path`, in front of the model server."""

    async def ask():
        async with serving(MODEL) as model:
            forward = TcpAddress(*model.getsockname())
            made = settings(ingress=(ingress(forward=forward),), **configured)
            async with serving(upstream_handlers(lambda: made)) as ours:
                answer = await fetch(TcpAddress(*ours.getsockname()), path)
                return answer.status, answer.body.decode()

    return asyncio.run(ask())


PROBES = (("model", "/health"), ("full", "/health?full=1"), ("away", "/moved"), ("seen", "/seen"))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/probe/model", (200, "model is well\n")),
        ("/probe/full", (503, "model is well\n")),
        ("/metrics/upstream", (200, "tokens 1\n")),
    ],
)
def test_status_and_body_of_the_upstream_are_passed_on(path, answer):
    assert asked(path, probes=PROBES, upstream_metrics="/metrics") == answer


def test_a_redirect_is_not_followed():
    """It would let the model server choose where the supervisor connects."""
    status, _ = asked("/probe/away", probes=PROBES)

    assert status == 302


@pytest.mark.parametrize("path", ["/probe/other", "/probe/..%2fhealth", "/metrics/upstream"])
def test_only_what_is_configured_can_be_asked(path):
    status, _ = asked(path, probes=PROBES)

    assert status == 404


def test_nothing_of_the_asker_reaches_the_upstream():
    _, body = asked("/probe/seen?path=/admin", probes=PROBES)

    assert body.startswith("GET /seen 127.0.0.1:")


def test_an_upstream_on_a_unix_socket_is_asked_too(tmp_path):
    async def ask():
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "model.sock"))
        sock.listen()
        async with serving(MODEL, sock):
            return await fetch(UnixAddress(str(tmp_path / "model.sock")), "/health")

    assert asyncio.run(ask()).status == 200


def test_an_upstream_that_is_down_is_503_and_named():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = TcpAddress(*probe.getsockname())

    answer = asyncio.run(fetch(address, "/health"))

    assert answer.status == 503
    assert answer.text == f"{address}: connection refused\n"


def test_an_upstream_that_says_nothing_is_503_in_time(monkeypatch):
    monkeypatch.setattr(upstream, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = asyncio.run(fetch(TcpAddress(*silent.getsockname()), "/health"))

    assert answer.status == 503
    assert "no answer" in answer.text


def test_an_answer_without_end_is_not_kept(monkeypatch):
    monkeypatch.setattr(upstream, "LONGEST", 5)

    assert asked("/probe/model", probes=PROBES)[0] == 503
