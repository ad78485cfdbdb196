import asyncio

import pytest
from aiohttp.test_utils import TestServer

from pqproxy.demo.client import Prompt
from pqproxy.demo.measure import TRIES, Comparison, compare
from pqproxy.demo.token_server import MODEL, application


def test_what_is_added_is_the_difference_of_the_medians():
    comparison = Comparison(direct=(0.010, 0.012, 0.5), through=(0.015, 0.7, 0.013))

    assert comparison.added == pytest.approx(0.003)


@pytest.mark.parametrize("open_connection", [True, False])
def test_both_ways_are_tried_in_turn_and_the_first_try_does_not_count(open_connection):
    asked = []

    async def run():
        async with served("direct", asked) as direct, served("through", asked) as through:
            urls = (str(server.make_url("")).rstrip("/") for server in (direct, through))
            return await compare(*urls, Prompt(MODEL, "hi", 9), open_connection=open_connection)

    comparison = asyncio.run(run())

    assert len(comparison.direct) == len(comparison.through) == TRIES
    completions = [name for name, path, _ in asked if path == "/v1/chat/completions"]
    assert completions == ["direct", "through"] * (TRIES + 1)
    assert len({peer for _, _, peer in asked}) == 2 * (TRIES + 1)


def test_an_open_connection_is_opened_before_the_clock_starts():
    asked = []

    async def run():
        async with served("one", asked) as server:
            url = str(server.make_url("")).rstrip("/")
            await compare(url, url, Prompt(MODEL, "hi", 9), open_connection=True)

    asyncio.run(run())

    paths = [path for _, path, _ in asked]
    assert paths == ["/v1/models", "/v1/chat/completions"] * 2 * (TRIES + 1)


def served(name, asked):
    app = application()

    async def note(request, _response):
        asked.append((name, request.path, request.transport.get_extra_info("peername")))

    app.on_response_prepare.append(note)
    return TestServer(app)
