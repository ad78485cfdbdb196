import asyncio

import aiohttp
import pytest

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")

from pqproxy.demo.client import Prompt, first_model, new_session, stream_completion
from pqproxy.demo.processes import Children


@pytest.fixture
def server(tmp_path):
    with Children(tmp_path) as children:
        child = children.start("llama", ["-m", "pqproxy.demo.llama_server", str(tmp_path)])
        yield asyncio.run(child.first_line(patience=20))


def test_llama_cpp_talks_in_words_until_it_was_told_to_stop(server):
    tokens = []

    async def talk():
        async with new_session() as session:
            model = await first_model(session, server)
            return await stream_completion(session, server, Prompt(model, "hi", 50), tokens.append)

    completion = asyncio.run(talk())

    assert len(completion.arrivals) == 50
    assert all(token.strip().isalpha() and token.isascii() for token in tokens)


def test_it_shows_its_slots_and_its_metrics(server):
    async def look():
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{server}/slots") as slots:
                busy = [slot["is_processing"] for slot in await slots.json()]
            async with session.get(f"{server}/metrics") as metrics:
                return busy, metrics.status

    assert asyncio.run(look()) == ([False] * 4, 200)
