import os

import pytest

from pqproxy import tls
from pqproxy.tls.handshake import Over
from tests.support.deviation import Scene, assert_inert
from tests.support.hostile import GROUPS, leaf
from tests.support.loopback import Endpoint, pump

ALERT, HANDSHAKE, DATA = 21, 22, 23
UNEXPECTED_MESSAGE, BAD_RECORD_MAC = 10, 20
INTERNAL_ERROR, ACCESS_DENIED = 80, 49


class Slow(Endpoint):
    """Whoever is asked for a signature or a verdict keeps the question."""

    def _drain(self):
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)

    @property
    def asked(self):
        wanted = (tls.SignatureRequested, tls.ChainReceived)
        return [event for event in self.events if isinstance(event, wanted)]


def meet(server=Slow, client=Endpoint, **config):
    """Both, and the server has heard the hello."""
    serving = server.server(leaf(), groups=GROUPS, **config)
    calling = client.client(groups=GROUPS)
    serving.feed(calling.take())
    return serving, calling


def connected():
    client, server = Endpoint.client(groups=GROUPS), Endpoint.server(leaf(), groups=GROUPS)
    pump(client, server)
    assert client.handshake_complete
    assert server.handshake_complete
    return client, server


# Data of a whole read


def read_all(connection, data):
    """Walk one read as a proxy does: data in pieces, and every other event."""
    fragments, events = [], []
    room = tls.MAX_RECORD
    view = memoryview(bytearray(room) + data + b"something else")
    event = connection.receive(tls.Landing(view, room), room, room + len(data), fragments)
    while event is not None:
        if isinstance(event, tls.ApplicationData):
            fragments.append(event.fragment)
        else:
            events.append(event)
        event = connection.next_event()
    return [bytes(fragment) for fragment in fragments], events


def sent(client, *pieces):
    for piece in pieces:
        client.send(piece)
    return client.take()


def test_the_records_of_one_read_come_as_so_many_fragments_and_no_event():
    client, server = connected()

    assert read_all(server.connection, sent(client, b"one", b"two")) == ([b"one", b"two"], [])


def test_a_record_cut_by_the_end_of_a_read_comes_with_the_next():
    client, server = connected()
    data = sent(client, b"one", b"two")

    assert read_all(server.connection, data[:-1]) == ([b"one"], [])
    assert read_all(server.connection, data[-1:]) == ([b"two"], [])


def test_data_on_both_sides_of_a_key_update_keeps_its_order():
    client, server = connected()
    data = sent(client, b"one")
    client.connection._output.owe_key_update()
    data += sent(client, b"two", b"three")

    assert read_all(server.connection, data) == ([b"one", b"two", b"three"], [])


def test_one_who_stops_behind_a_key_update_goes_on_under_the_new_key():
    client, server = connected()
    connection = server.connection
    read_all(connection, sent(client, b"so that data flows"))
    client.connection._output.owe_key_update()
    connection.receive_data(bytearray(sent(client, b"one", b"two")))
    first = bytes(connection.next_event().fragment)
    connection.hold()

    assert first == b"one"
    assert read_all(connection, sent(client, b"three")) == ([b"two", b"three"], [])


def test_data_before_the_end_of_a_direction_comes_before_it():
    client, server = connected()
    data = sent(client, b"one")
    client.close()

    assert read_all(server.connection, data + client.take()) == ([b"one"], [tls.PeerClosed()])


@pytest.mark.parametrize("before", [0, 1, 4, 5, 40_000])
def test_a_bulk_transfer_comes_whole_wherever_reads_cut_it(before):
    """Each read is laid behind what is kept of the last one, as a proxy does."""
    client, server = connected()
    connection, content = server.connection, os.urandom(600_000)
    landing = tls.Landing(bytearray(tls.MAX_RECORD + 200_000), tls.MAX_RECORD)
    client.connection._output.owe_key_update()
    stream, received = sent(client, content[:before], content[before:]), bytearray()
    while stream:
        start = landing.start + connection.held
        piece, stream = stream[: 170_000 - connection.held], stream[170_000 - connection.held :]
        landing.view[start : start + len(piece)] = piece
        data = []
        event = connection.receive(landing, start, start + len(piece), data)
        received += b"".join(data)
        while event is not None:
            received += event.fragment
            event = connection.next_event()

    assert received == content


def test_the_end_of_the_stream_is_noticed_behind_data():
    client, server = connected()
    fragments, events = read_all(server.connection, sent(client, b"one"))
    server.connection.receive_eof()

    assert (fragments, events) == ([b"one"], [])
    assert server.connection.next_event() == tls.Truncated()


def test_data_before_a_record_that_does_not_decrypt_is_kept_and_the_rest_is_not_looked_at():
    client, server = connected()
    data = bytearray(sent(client, b"one", b"two", b"three"))
    data[len(data) // 2] ^= 1

    fragments, (failed,) = read_all(server.connection, data)

    assert fragments == [b"one"]
    assert failed.alert == BAD_RECORD_MAC


def test_a_plaintext_record_between_data_is_refused():
    client, server = connected()

    fragments, (failed,) = read_all(server.connection, sent(client, b"one") + b"\x14\3\3\0\1\1")

    assert fragments == [b"one"]
    assert failed.alert == UNEXPECTED_MESSAGE


def test_data_within_a_handshake_message_is_refused_in_a_whole_read_too():
    client, server = connected()
    output = client.connection._output
    output._append(HANDSHAKE, b"\x18\0")

    fragments, (failed,) = read_all(server.connection, sent(client, b"one"))

    assert fragments == []
    assert failed.alert == UNEXPECTED_MESSAGE


# Answers


def test_the_flight_up_to_the_signature_may_leave_before_the_signature_is_there():
    server, client = meet()
    client.feed(server.take())

    (request,) = server.asked
    assert not client.handshake_complete
    server.connection.provide(request.token, request.sign())
    pump(client, server)
    assert client.handshake_complete


def test_input_waits_unparsed_while_an_answer_is_awaited():
    server, _client = meet()

    server.feed(b"\x16\3\3\0\4junk")

    assert server.failure is None
    assert server.connection.held == 9


def test_what_came_meanwhile_is_read_once_the_answer_is_there():
    server, _client = meet()
    server.feed(b"\x16\3\3\0\4junk")
    (request,) = server.asked

    server.connection.provide(request.token, request.sign())
    server._drain()

    assert server.failure.alert == tls.AlertDescription.UNEXPECTED_MESSAGE


def test_an_answer_with_another_token_is_ignored():
    server, _client = meet()
    (request,) = server.asked
    server.take()

    server.connection.provide(request.token + 1, b"forged")
    server.connection.provide(0, b"forged")

    assert server.take() == b""
    assert server.failure is None
    server.connection.provide(request.token, request.sign())
    assert server.take()


def test_an_answer_given_twice_counts_once():
    server, _client = meet()
    (request,) = server.asked
    server.connection.provide(request.token, request.sign())
    server.take()

    server.connection.provide(request.token, b"another")
    server._drain()

    assert server.take() == b""
    assert server.failure is None


@pytest.mark.parametrize(
    "result",
    [RuntimeError("pkcs11: pin 1234 is wrong"), tls.Verdict.accept(), None, "text", 7],
)
def test_an_answer_that_is_none_is_our_own_bug_and_the_peer_learns_nothing(result):
    scene = Scene("server")
    scene.subject = Slow(scene.subject.connection)
    scene.until_our_flight()
    (request,) = scene.subject.asked

    scene.subject.connection.provide(request.token, result)
    scene.subject._drain()
    scene.hear()

    failed = scene.failure
    assert failed.alert == INTERNAL_ERROR
    assert "1234" not in failed.reason
    assert "1234" not in repr(failed)
    assert isinstance(failed.cause, Exception)
    assert scene.alerts == [(2, INTERNAL_ERROR)]
    assert_inert(scene.subject.connection)


def test_a_verdict_that_carries_an_alert_is_the_end_with_that_alert():
    scene = Scene("client", judge=lambda _: tls.Verdict.reject(ACCESS_DENIED, "not expected"))
    scene.play()

    assert scene.failure.reason == "not expected"
    assert scene.failure.cause is None
    assert scene.alerts == [(2, ACCESS_DENIED)]


def test_a_fatal_alert_as_an_answer_is_that_alert():
    refusal = tls.FatalAlert(tls.AlertDescription.UNKNOWN_CA, "unknown root")
    scene = Scene("client", judge=lambda _: refusal).play()

    assert scene.failure.reason == "unknown root"
    assert scene.alerts == [(2, tls.AlertDescription.UNKNOWN_CA)]


@pytest.mark.parametrize("late", ["accept", "reject", "error"])
def test_an_answer_after_the_end_is_ignored(late):
    server, _client = meet()
    (request,) = server.asked
    server.connection.abort(tls.AlertDescription.INTERNAL_ERROR)
    server.take()
    results = {"accept": request.sign(), "reject": tls.Verdict.accept(), "error": OSError()}

    server.connection.provide(request.token, results[late])

    assert server.take() == b""
    assert_inert(server.connection)


# Failing


def test_a_failed_connection_forgets_its_keys():
    """§6: the secrets of a failed connection are forgotten, whoever still holds the object."""
    client, _server = connected()
    client.feed(b"\x17\3\3\0\x20" + bytes(32))
    client.take()

    assert client.failure
    assert isinstance(client.connection._state, Over)
    assert client.connection.incoming._protection is None
    assert client.connection._output._protection is None
    assert client.negotiated is not None  # for the log


def test_what_was_negotiated_and_offered_outlives_a_failure():
    _client, server = connected()
    server.feed(b"\x17\3\3\0\x20" + bytes(32))

    assert server.negotiated.group == GROUPS[0]
    assert server.connection.offer.supported_groups == GROUPS


def test_after_the_peer_s_alert_nothing_more_is_said():
    """Not even what was queued before: whoever sent a fatal alert reads no more (§6)."""
    client, server = connected()
    client.send(b"too late")
    server.connection.abort(tls.AlertDescription.INTERNAL_ERROR)

    client.feed(server.take())

    assert client.failure.by_peer
    assert client.failure.authenticated
    assert client.take() == b""
    assert_inert(client.connection)


def test_an_alert_without_keys_is_told_apart():
    client = Endpoint.client(groups=GROUPS)
    client.feed(b"\x15\3\3\0\2\2\x28")

    assert client.failure.by_peer
    assert not client.failure.authenticated
    assert client.failure.reason == "peer said handshake_failure (unauthenticated)"


@pytest.mark.parametrize("level", [0, 1, 2, 255])
@pytest.mark.parametrize("description", [10, 40, 116, 200])
def test_every_alert_but_two_is_the_end_whatever_its_level(level, description):
    scene = Scene("client").play()
    scene.says(ALERT, bytes((level, description)), stage="application")

    assert scene.failure.alert == description
    assert scene.failure.by_peer
    assert scene.alerts == []
    assert_inert(scene.subject.connection)


def test_our_own_bug_is_internal_error_with_its_cause(monkeypatch):
    scene = Scene("server")
    monkeypatch.setattr("pqproxy.tls.handshake_server.read_offer", lambda *_: 1 // 0)
    scene.until_our_flight()

    assert isinstance(scene.failure.cause, ZeroDivisionError)
    assert scene.failure.reason == "internal error: ZeroDivisionError"
    assert scene.alerts == [(2, INTERNAL_ERROR)]


def test_abort_says_one_alert_and_reports_nothing():
    client, server = connected()
    server.connection.abort(tls.AlertDescription.ACCESS_DENIED)

    client.feed(server.take())
    assert client.failure.alert == ACCESS_DENIED
    assert server.failure is None
    assert_inert(server.connection)


# Data


@pytest.mark.parametrize("before", ["at first", "under handshake keys"])
def test_data_before_the_handshake_is_complete_is_our_own_bug(before):
    """It would go out under handshake keys, to whoever is there."""
    server, client = meet()
    connection = client.connection
    if before == "under handshake keys":
        client.feed(server.take())
        connection = server.connection

    with pytest.raises(RuntimeError, match="before the handshake"):
        connection.send_data(b"secret")
    with pytest.raises(RuntimeError, match="before the handshake"):
        connection.protect(memoryview(bytearray(600)), 5, 6, [])
    with pytest.raises(RuntimeError, match="before the handshake"):
        connection.protect_small(b"secret")


def test_data_may_be_held_and_walked_later():
    client, server = connected()
    client.send(b"one")
    client.send(b"two")
    buffer = bytearray(client.take())
    server.connection.receive_data(buffer)

    first = server.connection.next_event()
    assert bytes(first.fragment) == b"one"
    server.connection.hold()
    buffer[:] = bytes(len(buffer))
    assert server.connection.held
    second = server.connection.next_event()
    assert bytes(second.fragment) == b"two"


def test_a_connection_that_lives_is_not_closed():
    client, server = connected()

    assert not client.connection.closed
    assert client.connection.next_event() is None
    assert server.connection.max_fragment == tls.MAX_FRAGMENT


def test_a_message_log_is_told_what_comes_even_if_it_is_refused():
    """Who looks at a handshake wants to know how far it got."""
    told = []
    client = Endpoint.client(groups=GROUPS)
    client.connection.message_log = told.append
    server = Endpoint.server(leaf(), groups=GROUPS)
    pump(client, server)
    kinds = [message.type for message in told]

    assert kinds == [2, 8, 11, 15, 20]
    assert Endpoint.client().connection.message_log is None
