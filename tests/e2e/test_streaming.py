"""Tokens arrive as the model server sends them, only protected."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.model_server import completion_request, prompt_of
from tests.support.token_stream import percentile, stream

TOKENS = 120
ROUNDS = 25  # at most; on a quiet machine one is enough
ALLOWED_DELAY = 0.001
ALLOWED_COALESCED = 0.01


@pytest.mark.timeout(400)
def test_tokens_arrive_one_by_one(model, model_pair):
    """The slowest hundredth of the gaps is at most a millisecond longer than without the pair.

    Both ways are measured in turn. Whatever else runs on the machine delays tokens by far more, on
    either way, so rounds are repeated and the best of each way compared: a proxy that held tokens
    back would do so in its best round too.
    """
    direct, through = [], []
    for _ in range(ROUNDS):
        prompt = prompt_of(300)  # makes tokens come about 5 ms apart
        direct.append(stream(model.address, prompt, TOKENS))
        through.append(stream(model_pair.address, prompt, TOKENS))
        delay = best(slowest_gap, through) - best(slowest_gap, direct)
        coalesced = best(share_coalesced, through)
        if delay <= ALLOWED_DELAY and coalesced <= ALLOWED_COALESCED:
            break

    assert [one.tokens for one in through] == [one.tokens for one in direct]
    assert delay <= ALLOWED_DELAY
    assert coalesced <= ALLOWED_COALESCED


def best(measure, streams):
    return min(map(measure, streams))


def slowest_gap(found):
    return percentile(found.gaps, 0.99)


def share_coalesced(found):
    return found.coalesced / found.tokens


def test_silence_before_the_first_token_is_waited_out(model_pair):
    """No timeout of ours is shorter than a long prompt."""
    found = stream(model_pair.address, prompt_of(1900), 3)

    assert found.tokens == 3


def test_streams_side_by_side_are_each_complete(model_pair):
    def run(_):
        return stream(model_pair.address, prompt_of(50), 40).tokens

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [40] * 4


def test_requests_one_after_the_other_share_a_connection(model_pair):
    """One client connection is one upstream connection, and keep-alive is the server's business."""
    request = completion_request("hi", 3).replace(b"Connection: close\r\n", b"")
    request = request.replace(b'"stream": true', b'"stream":false')

    with socket.create_connection(model_pair.address, timeout=20) as connection:
        answers = connection.makefile("rb")
        with answers:
            for _ in range(3):
                connection.sendall(request)
                assert read_answer(answers)["choices"][0]["finish_reason"] == "length"


def read_answer(stream):
    assert stream.readline().startswith(b"HTTP/1.1 200")
    length = 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(stream.read(length))


def test_both_sidecars_log_what_protected_the_connection(model_pair):
    before = len(model_pair.ingress.lines("connection"))

    stream(model_pair.address, "hi", 3)

    front = model_pair.ingress.wait_for("connection", before + 1)[-1]
    beside = model_pair.egress.wait_for("connection", before + 1)[-1]
    assert front["group"] == beside["group"] == "X25519MLKEM768"
    assert front["cipher_suite"] == beside["cipher_suite"]
    assert front["identity"] == "spiffe://test.internal/client"
    assert beside["identity"] == "spiffe://test.internal/server"
    assert front["end_reason"] == beside["end_reason"] == "finished"
    assert front["received"] == beside["received"] > 0
    assert front["sent"] == beside["sent"] > 0
