import asyncio

import pytest
from aiohttp.test_utils import TestServer

from pqproxy.demo.client import Prompt
from pqproxy.demo.measure import TRIES, Comparison, compare
from pqproxy.demo.token_server import MODEL, application


def test_what_is_added_is_the_difference_of_the_medians():
    comparison = Comparison(direct=(0.010, 0.012, 0.5), through=(0.015, 0.7, 0.013))

    assert comparison.added == pytest.approx(0.003)


@pytest.mark.parametrize("keep_connection", [True, False])
def test_both_ways_are_tried_in_turn_and_the_first_try_does_not_count(keep_connection):
    asked = []

    async def run():
        async with served("direct", asked) as direct, served("through", asked) as through:
            urls = (str(server.make_url("")).rstrip("/") for server in (direct, through))
            return await compare(*urls, Prompt(MODEL, "hi", 9), keep_connection=keep_connection)

    comparison = asyncio.run(run())

    assert len(comparison.direct) == len(comparison.through) == TRIES
    assert [name for name, _ in asked] == ["direct", "through"] * (TRIES + 1)
    connections = {peer for _, peer in asked}
    assert len(connections) == (2 if keep_connection else 2 * (TRIES + 1))


def served(name, asked):
    app = application()

    async def note(request, _response):
        asked.append((name, request.transport.get_extra_info("peername")))

    app.on_response_prepare.append(note)
    return TestServer(app)
