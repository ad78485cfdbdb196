import asyncio
import json

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pqproxy.demo.client import (
    CompletionError,
    Prompt,
    first_model,
    new_session,
    stream_completion,
)

PROMPT = Prompt("m", "hi", 4)


def event(**delta):
    return b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n\n"


def answering(*chunks, status=200):
    """A server that sends these chunks, each in a write of its own."""

    async def chat(request):
        await request.read()
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    return app


def stream(app):
    """Stream a completion from an application; return the tokens."""
    tokens = []

    async def run():
        async with TestServer(app) as server, new_session() as session:
            url = str(server.make_url("")).rstrip("/")
            await stream_completion(session, url, PROMPT, tokens.append)

    asyncio.run(run())
    return tokens


def test_each_event_is_a_token():
    assert stream(answering(event(content="a"), event(content="b"))) == ["a", "b"]


def test_an_event_cut_anywhere_is_one_token():
    whole = event(content="token")
    for cut in range(1, len(whole)):
        assert stream(answering(whole[:cut], whole[cut:])) == ["token"]


@pytest.mark.parametrize(
    "silent",
    [
        b": keep-alive\n\n",
        b"data: [DONE]\n\n",
        event(role="assistant", content=None),
        b'data: {"choices": []}\n\n',
    ],
    ids=["comment", "done", "role", "usage"],
)
def test_events_without_text_are_no_tokens(silent):
    assert stream(answering(silent, event(content="a"), silent)) == ["a"]


def test_what_a_reasoning_model_thinks_counts_as_tokens():
    assert stream(answering(event(reasoning_content="hm"), event(content="a"))) == ["hm", "a"]


def test_an_error_of_the_server_is_told():
    with pytest.raises(CompletionError, match="answered 503: busy"):
        stream(answering(b"busy", status=503))


def test_an_answer_without_tokens_is_an_error():
    with pytest.raises(CompletionError, match="no tokens"):
        stream(answering(b"data: [DONE]\n\n"))


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": None}, []])
def test_a_server_that_lists_no_models_is_told(body):
    app = web.Application()

    async def models(_request):
        return web.json_response(body)

    app.router.add_get("/v1/models", models)

    async def run():
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            await first_model(session, str(server.make_url("")).rstrip("/"))

    with pytest.raises(CompletionError, match="does not list models"):
        asyncio.run(run())


def test_a_server_that_is_down_is_told(unused_tcp_port):
    async def run():
        async with new_session() as session:
            await first_model(session, f"http://127.0.0.1:{unused_tcp_port}")

    with pytest.raises(CompletionError, match="cannot reach"):
        asyncio.run(run())


@pytest.fixture
def unused_tcp_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
