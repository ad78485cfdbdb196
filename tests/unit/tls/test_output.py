import pytest

from pqproxy.tls import record
from pqproxy.tls.alerts import AlertDescription
from pqproxy.tls.codepoints import CipherSuite, HandshakeType
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.messages import HandshakeMessage
from pqproxy.tls.output import Output
from pqproxy.tls.record import HEADROOM, MAX_FRAGMENT, TAILROOM, ReceiveProtection
from pqproxy.tls.runs import Run
from pqproxy.tls.secrets import Secret
from tests.support.hostile import records

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
SECRET = Secret(bytes(32))
FINISHED = HandshakeMessage(HandshakeType.FINISHED, bytes(32))
KEY_UPDATE = bytes.fromhex("1800000100")
ALERT, HANDSHAKE, DATA = 21, 22, 23


def output(padding=0, keys=True):
    made = Output(padding, 0x0301)
    if keys:
        made.use_secret(SUITE, SECRET)
        made.open_to_data()
    return made


class Peer:
    """Reads what was sent; follows a KeyUpdate."""

    def __init__(self):
        self.receiving = ReceiveProtection(SUITE, SECRET)

    def read(self, stream):
        found = []
        for one in records(stream):
            content_type, content = self.receiving.unprotect(memoryview(bytearray(one)))
            found.append((content_type, bytes(content)))
            if (content_type, bytes(content)) == (HANDSHAKE, KEY_UPDATE):
                self.receiving = self.receiving.next_generation()
        return found


def protect(made, data, padding_room=256):
    """`protect` as the owner of a buffer uses it."""
    buffer = memoryview(bytearray(HEADROOM + len(data) + padding_room + TAILROOM))
    buffer[HEADROOM : HEADROOM + len(data)] = data
    out = []
    made.protect(buffer, HEADROOM, len(data), out)
    return b"".join(out)


def test_only_the_first_record_says_version_1_0():
    made = output(keys=False)
    made.send_handshake(FINISHED)
    first = made.take()
    made.send_handshake(FINISHED)

    assert first[:3] == bytes.fromhex("160301")
    assert made.take()[:3] == bytes.fromhex("160303")


def test_messages_of_one_flight_share_a_record():
    made = output(keys=False)
    made.send_handshake(FINISHED)
    made.send_handshake(FINISHED)

    (only,) = records(made.take())
    assert only[5:] == FINISHED.encode() * 2


def test_a_change_of_keys_ends_the_record():
    made = output(keys=False)
    made.send_handshake(FINISHED)
    made.use_secret(SUITE, SECRET)
    made.send_handshake(FINISHED)
    plaintext, protected = records(made.take())

    assert plaintext[5:] == FINISHED.encode()
    assert Peer().read(protected) == [(HANDSHAKE, FINISHED.encode())]


def test_the_compatibility_record_keeps_its_place_and_is_never_protected():
    made = output()
    made.send_handshake(FINISHED)
    made.send_change_cipher_spec()
    made.send_handshake(FINISHED)

    sent = records(made.take())
    assert [one[0] for one in sent] == [DATA, 20, DATA]
    assert sent[1] == bytes.fromhex("140303000101")


@pytest.mark.parametrize("keys", [False, True])
def test_a_message_over_16_kb_spans_records(keys):
    made = output(keys=keys)
    large = HandshakeMessage(HandshakeType.CERTIFICATE, bytes(40_000))
    made.send_handshake(large)
    sent = made.take()

    contents = Peer().read(sent) if keys else [(one[0], one[5:]) for one in records(sent)]
    assert [len(content) for _, content in contents] == [MAX_FRAGMENT, MAX_FRAGMENT, 7236]
    assert b"".join(content for _, content in contents) == large.encode()


def test_records_keep_to_the_limit_of_the_peer():
    made = output(padding=256)
    made.limit(63)
    made.send_handshake(HandshakeMessage(HandshakeType.CERTIFICATE, bytes(200)))
    made.send_data(bytes(200))
    made.send_alert(AlertDescription.CLOSE_NOTIFY)

    for one in records(made.take()):
        assert len(one) - 5 <= 63 + 1 + 16


@pytest.mark.parametrize(
    ("description", "level"),
    [(AlertDescription.CLOSE_NOTIFY, 1), (AlertDescription.DECODE_ERROR, 2)],
)
def test_an_alert_goes_out_behind_what_was_queued(description, level):
    made = output()
    made.send_handshake(FINISHED)
    made.send_alert(description)

    assert Peer().read(made.take()) == [
        (HANDSHAKE, FINISHED.encode()),
        (ALERT, bytes((level, description))),
    ]


def test_data_is_cut_into_records_and_short_ones_are_padded():
    made = output(padding=256)
    made.send_data(b"x" * (MAX_FRAGMENT + 3))
    sent = records(made.take())

    assert [len(one) for one in sent] == [5 + MAX_FRAGMENT + 1 + 16, 5 + 256 + 16]
    contents = [content for _, content in Peer().read(b"".join(sent))]
    assert contents == [b"x" * MAX_FRAGMENT, b"xxx"]


def test_protect_puts_control_output_before_the_record():
    made = output()
    made.send_data(b"first")

    assert Peer().read(protect(made, b"second")) == [(DATA, b"first"), (DATA, b"second")]
    assert made.take() == b""


def test_queued_data_keeps_its_place_however_data_is_given():
    """Its nonce is drawn when it is queued: a record that overtakes it decrypts nowhere."""
    made = output()
    sent = protect(made, b"first")
    made.send_data(b"second")
    sent += protect(made, b"third")

    assert Peer().read(sent) == [(DATA, b"first"), (DATA, b"second"), (DATA, b"third")]


@pytest.mark.parametrize("padding", [255, 300, 1000, 1024])
@pytest.mark.parametrize("length", [1, 1000, 1023, 1024])
def test_a_queued_record_has_room_for_whatever_pads_it(padding, length):
    """Not every multiple that a configuration may name divides the length below which we pad."""
    made = output(padding=padding)
    made.send_data(b"x" * length)

    assert Peer().read(made.take()) == [(DATA, b"x" * length)]


@pytest.mark.parametrize("way", ["protect", "send_data"])
def test_messages_that_wait_go_before_data_by_either_way_of_sending(way):
    """A ticket is of use only if it is read: a client may be gone once it has its answer."""
    made = output()
    made.send_handshake(FINISHED)
    if way == "protect":
        sent = protect(made, b"x")
    else:
        made.send_data(b"x")
        sent = b""

    read = Peer().read(sent + made.take())

    assert read == [(HANDSHAKE, FINISHED.encode()), (DATA, b"x")]


def test_data_before_there_are_keys_is_an_error_of_ours():
    with pytest.raises(RuntimeError, match="before the handshake is complete"):
        protect(output(keys=False), b"x")


def test_data_after_the_end_of_our_direction_goes_nowhere():
    made = output()
    made.close_to_data()
    made.send_data(b"x")

    assert protect(made, b"x") == made.take() == b""


def test_many_requests_for_a_key_update_are_answered_once_and_before_data():
    made = output()
    peer = Peer()
    for _ in range(5):
        made.owe_key_update()
    assert made.take() == b""  # nothing queues while we have nothing to say

    assert peer.read(protect(made, b"a")) == [(HANDSHAKE, KEY_UPDATE), (DATA, b"a")]
    assert peer.read(protect(made, b"b")) == [(DATA, b"b")]


def test_a_key_is_updated_at_its_limit_by_either_way_of_sending(monkeypatch):
    monkeypatch.setattr(record, "REKEY_AFTER", 2)
    made, peer = output(), Peer()
    sent = b""
    for number in range(7):
        content = bytes([number])
        if number % 3 == 1:
            made.send_data(content)
            sent += made.take()
        else:
            sent += protect(made, content) if number % 3 else made.protect_small(content)

    update = (HANDSHAKE, KEY_UPDATE)
    data = [(DATA, bytes([number])) for number in range(7)]
    assert peer.read(sent) == [*data[:2], update, *data[2:4], update, *data[4:6], update, data[6]]


@pytest.mark.parametrize("padding", [0, 256])
@pytest.mark.parametrize("length", [0, 1, 254, 255, 256, 1023, 1024, 16_384])
def test_a_copy_is_protected_as_the_original_would_be(padding, length):
    content = bytes(length)
    for made in (output(padding), output(padding)):  # the second time nothing but data is due
        in_place, copied = protect(made, content), made.protect_small(content)

        assert len(in_place) == len(copied)
        assert in_place[:5] == copied[:5]
        assert Peer().read(in_place + copied) == [(DATA, content)] * 2


def test_a_copy_stays_within_the_limit_of_the_peer():
    made = output(padding=256)
    made.limit(64)

    assert Peer().read(made.protect_small(b"x" * 60)) == [(DATA, b"x" * 60)]
    assert len(made.protect_small(b"x")) == 5 + 64 + 1 + 16


def test_what_is_due_before_data_is_due_before_a_copy():
    made, peer = output(), Peer()
    first = made.protect_small(b"a")
    made.owe_key_update()

    update = (HANDSHAKE, KEY_UPDATE)
    assert peer.read(first + made.protect_small(b"b")) == [(DATA, b"a"), update, (DATA, b"b")]


def test_copies_go_nowhere_once_our_direction_has_ended():
    made = output()
    made.close_to_data()

    assert made.protect_small(b"x") == b""


def test_an_output_without_anything_to_say_is_empty():
    assert output().take() == b""


SLOTS, SIZE, GAP = 8, 2000, 7


def run_of(*contents):
    """A run in a buffer, its first fragments filled."""
    stride = 5 + SIZE + 17 + GAP
    buffer = bytearray(b"." * (SLOTS * stride))
    made = Run(buffer, start=3, size=5 + SIZE + 17, stride=stride)
    for place, content in zip(made.fragments, contents, strict=False):
        place[:] = content
    return made


def protect_run(made, *contents):
    out = []
    made.protect_run(run_of(*contents), len(contents), out)
    return b"".join(out)


def test_a_run_is_protected_as_each_of_its_fragments_would_be():
    contents = [bytes([number]) * SIZE for number in range(SLOTS)]
    by_run, one_by_one = output(padding=256), output(padding=256)
    wanted = b"".join(protect(one_by_one, content) for content in contents)

    assert protect_run(by_run, *contents[:3]) + protect_run(by_run, *contents[3:]) == wanted


def test_what_is_due_before_data_is_due_before_a_run():
    made = output()
    made.owe_key_update()

    sent = protect_run(made, b"a" * SIZE, b"b" * SIZE)
    assert Peer().read(sent) == [(HANDSHAKE, KEY_UPDATE), (DATA, b"a" * SIZE), (DATA, b"b" * SIZE)]


def test_a_key_is_updated_in_the_middle_of_a_run_when_its_limit_is_there(monkeypatch):
    monkeypatch.setattr(record, "REKEY_AFTER", 3)
    contents = [bytes([number]) * SIZE for number in range(SLOTS)]
    found = Peer().read(protect_run(output(), *contents))

    data, update = [(DATA, content) for content in contents], (HANDSHAKE, KEY_UPDATE)
    assert found == [*data[:3], update, *data[3:6], update, *data[6:]]


def test_a_run_goes_nowhere_once_our_direction_has_ended():
    made = output()
    made.close_to_data()

    assert protect_run(made, b"x" * SIZE) == b""
