import base64
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.config.values import Settings
from pqproxy.proxy.channel import (
    MAX_FRAME,
    FrameReader,
    WorkerChange,
    WorkerStart,
    encode_frame,
)


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 7))
def test_any_chunking_gives_the_same_frames(payloads, step):
    stream = b"".join(map(encode_frame, payloads))
    reader = FrameReader()
    frames = []
    for start in range(0, len(stream), step):
        frames += reader.feed(stream[start : start + step])

    assert frames == payloads


def test_an_incomplete_frame_waits():
    reader = FrameReader()

    assert list(reader.feed(encode_frame(b"hello")[:-1])) == []
    assert list(reader.feed(b"o")) == [b"hello"]


def test_a_frame_too_long_to_be_meant_is_refused_before_it_is_collected():
    with pytest.raises(ValueError, match="frame of"):
        list(FrameReader().feed((MAX_FRAME + 1).to_bytes(4, "big")))
    with pytest.raises(ValueError, match="frame of"):
        encode_frame(bytes(MAX_FRAME + 1))


def test_a_reader_may_be_less_patient():
    reader = FrameReader(longest=5)

    assert list(reader.feed(encode_frame(b"hello"))) == [b"hello"]
    with pytest.raises(ValueError, match="frame of 6 bytes"):
        list(reader.feed(encode_frame(b"hello!")))


def test_the_start_of_a_worker_survives_the_channel():
    settings = Settings(identities=(), trust=(), ingress=(), egress=())
    start = WorkerStart(settings, {"llm": [7, 8]}, log_tty=True)

    assert WorkerStart.decode(start.encode()) == start


def test_a_first_frame_that_is_something_else_is_refused():
    with pytest.raises(TypeError):
        WorkerStart.decode(pickle.dumps({"settings": None}))


def test_a_change_of_a_worker_survives_json():
    settings = Settings(identities=(), trust=(), ingress=(), egress=())
    change = WorkerChange(settings, {"llm": "llm", "renamed": "before", "new": 2})

    assert WorkerChange.decode(json.loads(json.dumps(change.encode()))) == change


def test_a_change_that_is_something_else_is_refused():
    with pytest.raises(TypeError):
        WorkerChange.decode(base64.b64encode(pickle.dumps({"settings": None})).decode())
