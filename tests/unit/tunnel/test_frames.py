"""What lies on the wire, byte by byte, and what of it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.tunnel import ErrorCode, GoAway, Open, Reset, Settings, TunnelError
from pqproxy.tunnel.frames import FrameType, frame, read_window, window


def test_a_frame_is_its_length_type_and_stream_before_its_payload():
    assert frame(FrameType.DATA, 7, b"token") == bytes.fromhex("000005 02 00000007") + b"token"


def test_every_frame_type_has_the_number_of_the_protocol():
    assert [each.name for each in sorted(FrameType)] == [
        "SETTINGS", "OPEN", "DATA", "END", "RESET", "WINDOW", "PING", "PONG", "GOAWAY",
    ]  # fmt: skip


def test_settings_come_back_and_strangers_among_them_are_passed_over():
    said = Settings(instance=9, initial_window=512, max_streams=3)
    unknown = bytes.fromhex("00ff 00000001")

    assert Settings.decode(said.encode()) == said
    assert Settings.decode(unknown + said.encode() + unknown) == said
    assert Settings.decode(b"") == Settings()


@pytest.mark.parametrize("payload", ["00", "000200000000 00", "0002 80000000"])
def test_settings_that_are_no_pairs_or_too_large_are_refused(payload):
    with pytest.raises(TunnelError):
        Settings.decode(bytes.fromhex(payload))


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 255))
def test_what_open_says_comes_back_cut_to_what_fits(route, client, flags):
    said = Open.decode(Open(route, client, flags).encode())

    assert said.flags == flags
    for given_name, arrived in ((route, said.route), (client, said.client)):
        assert len(arrived.encode()) <= 255
        assert given_name.encode("utf-8", "replace").decode().startswith(arrived)


def test_every_prefix_of_open_is_refused():
    whole = Open("r", "10.0.0.1:5", 0).encode()
    for length in range(len(whole)):
        with pytest.raises(TunnelError):
            Open.decode(whole[:length])
    with pytest.raises(TunnelError):
        Open.decode(whole + b"\0")


@pytest.mark.parametrize("kind", [Open, Reset, GoAway])
@given(data=st.binary(max_size=600))
def test_any_payload_is_read_or_refused(kind, data):
    try:
        said = kind.decode(data)
    except TunnelError:
        return
    assert kind.decode(said.encode()) == said


def test_a_text_that_is_no_utf8_is_refused():
    """It goes to a log."""
    with pytest.raises(TunnelError, match="UTF-8"):
        Reset.decode(b"\0\1\xff\xfe")


def test_a_long_text_is_cut_between_characters():
    said = Reset.decode(Reset(ErrorCode.TIMEOUT, "é" * 200).encode())

    assert said == Reset(ErrorCode.TIMEOUT, "é" * 127)


def test_goaway_carries_the_last_stream():
    said = GoAway(2**32 - 1, ErrorCode.DRAINING, "bye")

    assert GoAway.decode(said.encode()) == said
    assert said.encode() == bytes.fromhex("ffffffff 0009") + b"bye"


@pytest.mark.parametrize("payload", ["", "000000", "0000000000", "00000000", "80000000"])
def test_window_grants_between_one_byte_and_two_gigabytes(payload):
    with pytest.raises(TunnelError):
        read_window(bytes.fromhex(payload))


def test_window_reads_what_was_granted():
    assert read_window(window(3, 77)[8:]) == 77
