import asyncio
import os
import signal

import pytest

from pqproxy.demo import run
from pqproxy.demo.client import first_model, new_session
from pqproxy.demo.processes import Children
from pqproxy.demo.token_server import MODEL


def test_a_server_of_the_users_own_is_not_started(tmp_path):
    with Children(tmp_path) as children:
        server = asyncio.run(run.start_model_server(children, tmp_path, "127.0.0.1:8000"))

    assert server.url == "http://127.0.0.1:8000"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["xllamacpp", "gguf"])
def test_without_the_extra_the_token_server_takes_its_place_and_says_so(
    tmp_path, monkeypatch, missing
):
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == missing else object())

    async def start_and_ask(children):
        server = await run.start_model_server(children, tmp_path, None)
        async with new_session() as session:
            return server, await first_model(session, server.url)

    with Children(tmp_path) as children:
        server, model = asyncio.run(start_and_ask(children))

    assert model == MODEL
    assert "embedded token server" in server.description
    assert "pip install 'pqproxy[demo]'" in server.description


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_through_its_cleaning_up(number):
    cleaned = []

    async def demo():
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(10)
        finally:
            os.kill(os.getpid(), number)  # an impatient second time
            cleaned.append(True)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run.until_signal(demo()))

    assert cleaned == [True]
