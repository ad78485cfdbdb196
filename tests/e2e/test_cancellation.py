"""A client that dies frees its slot at once, whatever it was doing."""

import select
import time

import pytest
from aiohttp import web

from tests.support import killable_client
from tests.support.aiohttp_server import AiohttpServer
from tests.support.model_server import completion_request, prompt_of
from tests.support.waiting import seconds_until, wait_until

AT_ONCE = 0.1  # seconds
TRIES = 4  # at most: whatever else runs on the machine delays all of it
HUNG_UP = select.POLLHUP | select.POLLERR | select.POLLRDHUP


def wait_until_answering(client):
    assert client.stdout.readline() == "connected\n"


def is_told_at_once(measure):
    """Whether it was in the best of some tries; one is enough on a quiet machine."""
    return any(measure() < AT_ONCE for _ in range(TRIES))


def test_in_mid_answer_llama_cpp_has_its_slot_back(model, model_pair, tmp_path):
    assert is_told_at_once(lambda: slot_free_after(model, model_pair, tmp_path))


def slot_free_after(model, model_pair, tmp_path):
    """How many seconds after its client was killed a completion that ran has ended."""
    client = killable_client.start(
        model_pair.address, completion_request(prompt_of(300), 1500), tmp_path
    )
    wait_until(model.busy_slots, "the completion runs")
    time.sleep(0.5)
    assert model.busy_slots() == 1

    killable_client.kill(client)

    return seconds_until(lambda: not model.busy_slots(), "the slot is free")


def test_before_the_first_token_llama_cpp_never_generates(model, model_pair, tmp_path):
    """It reads a prompt to its end before it looks; then it must find that the client has gone."""
    client = killable_client.start(
        model_pair.address, completion_request(prompt_of(1900), 1500), tmp_path
    )
    wait_until(model.busy_slots, "the completion runs")

    killable_client.kill(client)

    generated = [0]
    while now := model.generated():
        generated += now
    assert max(generated) < 20


def test_before_the_first_token_a_server_that_listens_is_told(standing, tmp_path):
    """As uvicorn does: the handler is cancelled when the connection goes."""
    slots = []

    async def think(request):
        await request.read()
        slots.append(request)
        try:
            await wait_for_ever()
        finally:
            slots.clear()

    def told_after():
        client = killable_client.start(standing.address, completion_request("hi", 9), tmp_path)
        wait_until(lambda: slots, "the request has arrived")
        killable_client.kill(client)
        return seconds_until(lambda: not slots, "the slot is free")

    with AiohttpServer(web.post("/v1/chat/completions", think), port=standing.port):
        assert is_told_at_once(told_after)


async def wait_for_ever():
    import asyncio

    await asyncio.Event().wait()


def test_in_mid_upload_a_server_that_does_not_read_is_told(standing, tmp_path):
    """Back-pressure has paused every hop, and a paused hop must still see that its peer left.

    The server has answered already, as with `100 Continue`. That makes the kernel of a dead client
    send RST; without, its FIN would queue up behind data that nobody takes, also without a proxy.
    """
    left = []

    def hold(connection):
        connection.recv(10)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        poll = select.poll()
        poll.register(connection, HUNG_UP)
        if poll.poll(30_000):
            left.append(time.monotonic())

    def told_after():
        left.clear()
        upload = b"PUT / HTTP/1.1\r\n\r\n" + bytes(64 << 20)
        client = killable_client.start(standing.address, upload, tmp_path)
        wait_until_answering(client)
        wait_until_stuck(standing)
        killed = time.monotonic()
        killable_client.kill(client)
        wait_until(lambda: left, "the server sees that the client has left")
        return left[0] - killed

    with standing.serving(hold):
        assert is_told_at_once(told_after)


def wait_until_stuck(pair):
    """Until no sidecar does anything any more: all buffers are full."""
    from tests.support.processes import processor_seconds

    def busy():
        return [processor_seconds(sidecar.worker) for sidecar in pair.sidecars]

    def idle():
        before = busy()
        time.sleep(0.3)
        return busy() == before

    time.sleep(0.3)
    wait_until(idle, "the upload is stuck")


@pytest.mark.parametrize("count", [20])
def test_no_socket_stays_in_close_wait(model, model_pair, tmp_path, count):
    clients = [
        killable_client.start(model_pair.address, completion_request(prompt_of(20), 30), tmp_path)
        for _ in range(count)
    ]
    time.sleep(0.2)
    for client in clients:
        killable_client.kill(client)

    wait_until(lambda: not model.busy_slots(), "the slots are free")
    for sidecar in model_pair.sidecars:
        wait_until(lambda sidecar=sidecar: not sidecar.close_waits(), "no CLOSE-WAIT")
