import asyncio
import time
from datetime import UTC, datetime

import pytest

from pqproxy.demo.certificates import CLIENT, SERVER
from pqproxy.demo.client import Prompt, new_session, stream_completion
from pqproxy.demo.processes import ChildFailed, Children
from pqproxy.demo.sidecars import start_pair
from pqproxy.demo.token_server import MODEL

NOW = datetime.fromtimestamp(time.time(), UTC)


def test_a_completion_passes_the_pair_and_both_log_it(tmp_path):
    async def pass_through(children):
        server = children.start("server", ["-m", "pqproxy.demo.token_server"])
        url = await server.first_line(patience=20)
        pair = await start_pair(children, tmp_path, url.removeprefix("http://"), NOW)
        async with new_session() as session:
            address = f"http://{pair.egress.address}"
            completion = await stream_completion(session, address, Prompt(MODEL, "hi", 5))
        lines = [
            await sidecar.first_connection(patience=10) for sidecar in (pair.ingress, pair.egress)
        ]
        return completion, lines

    with Children(tmp_path) as children:
        completion, (front, beside) = asyncio.run(pass_through(children))

    assert len(completion.arrivals) == 5
    assert front["identity"] == CLIENT
    assert beside["identity"] == SERVER
    assert front["received"] == beside["received"] > completion.sent
    assert front["sent"] == beside["sent"] > 0


def test_a_connection_that_never_was_is_not_waited_for(tmp_path):
    async def wait(children):
        pair = await start_pair(children, tmp_path, "127.0.0.1:1", NOW)
        await pair.ingress.first_connection(patience=0.1)

    with Children(tmp_path) as children, pytest.raises(ChildFailed, match="ingress"):
        asyncio.run(wait(children))
