"""What holds for every connection: any bytes, any pieces, any change of a valid flight."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy import tls
from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.messages import HandshakeMessage
from pqproxy.tls.record import MAX_RECORD, plaintext_record
from tests.properties.recording import Side, record
from tests.support import hostile

roles = st.sampled_from([Side.client, Side.server])
record_types = st.integers(20, 23)
messages = st.builds(
    HandshakeMessage, st.sampled_from([1, 2, 4, 8, 11, 13, 15, 20, 24, 99]), st.binary(max_size=80)
).map(HandshakeMessage.encode)
contents = st.one_of(st.binary(max_size=60), messages, st.lists(messages, max_size=3).map(b"".join))
streams = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.builds(
            lambda kind, content: plaintext_record(kind, content, 0x0303), record_types, contents
        ),
        max_size=5,
    ).map(b"".join),
)


def check_sound(side):
    """Whatever came, it was no bug of ours, and a refusal is final."""
    failure = side.failure
    if failure is None:
        return
    assert failure.cause is None
    assert failure.alert != tls.AlertDescription.INTERNAL_ERROR or failure.by_peer
    assert side.events[-1] is failure
    assert side.connection.closed
    assert side.connection.held == 0
    side.take()
    side.feed(b"\x16\x03\x03\x00\x01\x01")
    side.feed_eof()
    assert side.events[-1] is failure
    assert side.take() == b""


@settings(max_examples=400)
@given(roles, streams)
def test_any_bytes_are_borne_or_refused(role, stream):
    side = role()
    side.feed(stream)
    check_sound(side)


def changed(data, stream):
    """The stream with a few bytes changed, cut out or put in."""
    stream = bytearray(stream)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(stream) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                stream[position] = data.draw(st.integers(0, 255))
            case "cut":
                del stream[position : position + data.draw(st.integers(1, 40))]
            case "insert":
                stream[position:position] = data.draw(st.binary(min_size=1, max_size=40))
        if not stream:
            break
    return bytes(stream)


@settings(max_examples=250)
@given(st.data())
def test_a_changed_client_stream_is_borne_or_refused_and_brings_no_false_data(data):
    recorded = record()
    server = Side.server(recorded.signature)
    length = data.draw(st.sampled_from([300, 500, 30_000]))
    server.feed(changed(data, recorded.to_server[:length]))
    check_sound(server)

    assert recorded.received.startswith(bytes(server.received))


@settings(max_examples=250)
@given(st.data())
def test_a_changed_server_stream_is_borne_or_refused_and_brings_no_false_data(data):
    recorded = record()
    client = Side.client()
    client.feed(
        changed(data, recorded.to_client[: data.draw(st.sampled_from([200, 1500, 30_000]))])
    )
    check_sound(client)

    assert recorded.received.startswith(bytes(client.received))


@given(st.data())
def test_a_changed_hello_is_answered_or_refused(data):
    """Only the body is changed, so that the checks behind the record layer are met."""
    hello = hostile.client_hello(tls.HYBRID_GROUPS, server_name="llm.test", alpn_protocols=(b"h2",))
    body = changed(data, hello.message().body)
    server = Side.server()
    server.feed(hostile.in_records(HandshakeMessage(1, body)))

    check_sound(server)


@pytest.mark.parametrize(
    "make",
    [
        hostile.client_after_server_hello,
        hostile.server_after_its_flight,
        hostile.client_after_handshake,
        hostile.server_after_handshake,
    ],
)
@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 25), contents, st.integers(0, 30)), max_size=5))
def test_any_content_under_the_real_keys_is_borne_or_refused(make, records):
    target = make(client_authentication=tls.ClientAuthentication.REQUIRE)
    for kind, content, padding in records:
        if kind or content:
            target.say(kind, content, padding)
    failure = target.failure

    assert failure is None or (failure.cause is None and target.endpoint.closed)


def in_pieces(side, stream, data):
    """Lend it in pieces of any size, from buffers of any kind, held back in between."""
    while stream:
        size = min(len(stream), data.draw(st.sampled_from([1, 2, 7, 100, 5000, 40_000])))
        room = data.draw(st.sampled_from([0, 4, MAX_RECORD]))
        scratch = bytearray(room) + stream[:size]
        side.feed(scratch, room, hold=data.draw(st.booleans()))
        scratch[:] = b"\xee" * len(scratch)  # the lender has its buffer back
        stream = stream[size:]
        if size < 100:  # single bytes, for a while only
            side.feed(stream[:100])
            stream = stream[100:]
    side.feed_eof()


@settings(max_examples=60)
@given(st.data())
def test_a_server_sees_the_same_in_any_pieces(data):
    recorded = record()
    server = Side.server(recorded.signature)
    in_pieces(server, recorded.to_server, data)

    assert server.events == recorded.server_events
    assert server.received == recorded.received


@settings(max_examples=60)
@given(st.data())
def test_a_client_sees_the_same_in_any_pieces(data):
    recorded = record()
    client = Side.client()
    in_pieces(client, recorded.to_client, data)

    assert client.events == recorded.client_events
    assert client.received == recorded.received


@settings(max_examples=60)
@given(roles, st.data())
def test_a_stream_that_ends_early_never_ends_cleanly(role, data):
    recorded = record()
    side = Side.server(recorded.signature) if role == Side.server else Side.client()
    stream = recorded.to_server if role == Side.server else recorded.to_client
    side.feed(stream[: data.draw(st.integers(0, len(stream) - 1))])
    side.feed_eof()

    assert isinstance(side.events[-1], tls.Truncated)
    assert not any(isinstance(event, tls.PeerClosed) for event in side.events)


@settings(max_examples=40)
@given(st.binary(max_size=3))
def test_an_alert_of_any_shape_is_borne_or_refused(alert):
    for make in (hostile.fresh_server, hostile.fresh_client):
        target = make()
        target.say_plainly(ContentType.ALERT, alert)
        failure = target.failure

        assert failure is None or failure.cause is None
        if len(alert) != 2:
            assert failure is not None
