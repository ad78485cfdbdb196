import asyncio
import socket

import pytest
from aiohttp import web

from pqproxy.supervisor.admin import MOST_CONNECTIONS, AdminServer


async def page(request):
    return web.Response(text="hello\n")


async def fetch(address, head=b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(head)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def served(scenario):
    """Run a scenario against a server on a socket of its own."""

    async def run():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = AdminServer({"/page": page})
            await server.start([listening])
            try:
                return await asyncio.wait_for(scenario(listening.getsockname()), 30)
            finally:
                await server.close()

    return asyncio.run(run())


def test_an_answer_names_no_version_and_is_not_kept():
    head = served(fetch).partition(b"\r\n\r\n")[0]

    assert b"Server: pqproxy\r\n" in head + b"\r\n"
    assert b"Cache-Control: no-store" in head
    assert b"aiohttp" not in head


def test_an_unknown_page_names_no_version_either():
    answer = served(
        lambda address: fetch(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    )

    assert answer.startswith(b"HTTP/1.1 404")
    assert b"aiohttp" not in answer


def test_connections_that_are_only_held_do_not_keep_a_probe_out():
    """Anybody on the pod network may open connections; the kubelet must still get its answer."""

    async def scenario(address):
        held = [await asyncio.open_connection(*address) for _ in range(MOST_CONNECTIONS)]
        answer = await fetch(address)
        evicted = await held[0][0].read()
        for _, writer in held:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in held), return_exceptions=True)
        return answer, evicted

    answer, evicted = served(scenario)

    assert answer.endswith(b"hello\n")
    assert evicted == b""


def test_nonsense_is_refused():
    assert served(lambda address: fetch(address, b"\x16\x03\x01 not http\r\n\r\n")).startswith(
        b"HTTP/1.0 400"
    )


async def broken(request):
    raise RuntimeError("ours")


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"GET /page HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /page HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["TLS", "two hosts", "two lengths"],
)
def test_who_speaks_no_http_fills_no_log(caplog, said):
    """The health listener faces the pod network."""
    answer = served(lambda address: fetch(address, said))

    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert caplog.text == ""


def test_what_fails_in_our_own_code_is_logged(caplog, monkeypatch):
    monkeypatch.setitem(globals(), "page", broken)
    answer = served(fetch)

    assert answer.startswith(b"HTTP/1.1 500")
    assert "RuntimeError: ours" in caplog.text
