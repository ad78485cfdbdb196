import asyncio

from aiohttp.test_utils import TestClient, TestServer

from pqproxy.demo.client import Prompt, first_model, stream_completion
from pqproxy.demo.token_server import MODEL, application


def ask(conversation):
    """Run `conversation(session, base_url)` against the server."""

    async def run():
        async with TestClient(TestServer(application())) as client:
            return await conversation(client.session, str(client.make_url("")).rstrip("/"))

    return asyncio.run(run())


def test_it_names_its_model():
    assert ask(first_model) == MODEL


def test_it_streams_as_many_tokens_as_were_asked_for():
    heard = []

    completion = ask(
        lambda session, url: stream_completion(session, url, Prompt(MODEL, "hi", 7), heard.append)
    )

    assert len(completion.arrivals) == len(heard) == 7
    assert "".join(heard).startswith(" No model is running here")


def test_without_stream_it_answers_in_one_piece():
    async def whole(session, url):
        async with session.post(f"{url}/v1/chat/completions", json={"max_tokens": 3}) as response:
            return await response.json()

    answer = ask(whole)

    assert answer["choices"][0]["message"] == {"role": "assistant", "content": " No model is"}
