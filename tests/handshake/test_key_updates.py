"""KeyUpdate both ways, and that keys change on a message boundary only (§4.7.3, §5.1)."""

import pytest

from pqproxy import tls
from pqproxy.tls.codepoints import HandshakeType as Type
from pqproxy.tls.floods import MAX_POST_HANDSHAKE_MESSAGES
from pqproxy.tls.record import SendProtection
from tests.handshake.deviations.scenes import DATA, HANDSHAKE
from tests.support.deviation import Scene, assert_inert
from tests.support.hostile import GROUPS, seal

roles = pytest.mark.parametrize("role", ["server", "client"])
UPDATE, REQUEST = b"\x18\0\0\1\0", b"\x18\0\0\1\1"
UNEXPECTED_MESSAGE, BAD_RECORD_MAC = 10, 20


class Updating:
    """A peer under application keys that goes on to the next key as it likes."""

    def __init__(self, role, **config):
        self.scene = Scene(role, **config).play()
        self.keys = self.scene.key("application")

    def says(self, kind, content):
        self.scene.feed(seal(self.keys, kind, content))

    def updates(self, update=UPDATE):
        self.says(HANDSHAKE, update)
        self.keys = self.keys.next_generation()

    @property
    def heard_back(self):
        """What the subject said after its handshake."""
        contents = self.scene.contents
        return [
            (kind, content)
            for kind, content in contents
            if kind == DATA or content[:1] == bytes((Type.KEY_UPDATE,))
        ]

    def is_sent(self, data):
        self.scene.subject.send(data)
        self.scene.hear()


@roles
def test_data_under_the_next_key_is_read_and_no_answer_is_owed(role):
    peer = Updating(role)
    for number in range(5):
        peer.updates()
        peer.says(DATA, b"%d" % number)
    peer.is_sent(b"answer")

    assert bytes(peer.scene.subject.received) == b"01234"
    assert peer.heard_back == [(DATA, b"answer")]


@roles
def test_a_requested_update_is_answered_before_the_next_data_and_asks_for_none(role):
    """Two updates that ask for each other would never end."""
    peer = Updating(role)
    peer.updates(REQUEST)

    assert peer.scene.subject.take() == b""  # nothing until there is data
    peer.is_sent(b"one")
    peer.is_sent(b"two")
    assert peer.heard_back == [(HANDSHAKE, UPDATE), (DATA, b"one"), (DATA, b"two")]


@roles
def test_many_requests_while_we_are_silent_are_answered_by_one_update(role):
    peer = Updating(role)
    for _ in range(MAX_POST_HANDSHAKE_MESSAGES):
        peer.updates(REQUEST)
    peer.is_sent(b"one")

    assert peer.scene.failure is None
    assert peer.heard_back == [(HANDSHAKE, UPDATE), (DATA, b"one")]


@roles
def test_each_request_after_an_answer_is_answered_anew(role):
    peer = Updating(role)
    for _ in range(3):
        peer.updates(REQUEST)
        peer.says(DATA, b"x")
        peer.is_sent(b"y")

    assert peer.heard_back == [(HANDSHAKE, UPDATE), (DATA, b"y")] * 3


@roles
def test_an_owed_update_goes_out_through_protect_too(role):
    peer = Updating(role)
    peer.updates(REQUEST)
    buffer, out = memoryview(bytearray(1024)), []
    buffer[5:8] = b"one"
    peer.scene.subject.connection.protect(buffer, 5, 3, out)
    peer.scene.said += b"".join(out)

    assert peer.heard_back == [(HANDSHAKE, UPDATE), (DATA, b"one")]


@roles
def test_after_an_update_the_old_key_is_dead(role):
    peer = Updating(role)
    old = peer.keys
    peer.updates()
    peer.scene.feed(seal(old, DATA, b"replayed"))

    assert peer.scene.failure.alert == BAD_RECORD_MAC


@roles
def test_the_next_key_counts_only_after_an_update(role):
    """Otherwise an update could be cut out of the stream unnoticed (§4.7.3)."""
    peer = Updating(role)
    peer.keys = peer.keys.next_generation()
    peer.says(DATA, b"too early")

    assert peer.scene.failure.alert == BAD_RECORD_MAC


@roles
@pytest.mark.parametrize("behind", [UPDATE, UPDATE[:1], b"\4", b"\x14\0\0\0"], ids=bytes.hex)
def test_nothing_may_follow_an_update_in_its_record(role, behind):
    peer = Updating(role)
    peer.says(HANDSHAKE, UPDATE + behind)

    assert peer.scene.failure.alert == UNEXPECTED_MESSAGE
    assert_inert(peer.scene.subject.connection)


@roles
def test_an_update_may_come_in_pieces(role):
    peer = Updating(role)
    for byte in UPDATE:
        peer.says(HANDSHAKE, bytes((byte,)))
    peer.keys = peer.keys.next_generation()
    peer.says(DATA, b"new")

    assert bytes(peer.scene.subject.received) == b"new"


@roles
def test_an_owed_update_does_not_outlive_the_connection(role):
    peer = Updating(role)
    peer.updates(REQUEST)
    peer.scene.subject.close()
    peer.scene.hear()
    peer.is_sent(b"too late")

    assert peer.heard_back == []
    assert peer.scene.alerts == [(1, 0)]


# Messages packed across a change of keys (GO-2026-4340, RUSTSEC-2026-0285)


@pytest.mark.parametrize(
    "behind",
    [b"\x08\0\0\2\0\0", b"\x08\0\0\2\0", b"\x08", b"\x0b\0\0\4\0\0\0\0"],
    ids=["whole", "cut", "one byte", "a certificate"],
)
def test_plaintext_packed_behind_server_hello_never_counts_as_encrypted(behind):
    """What was never encrypted must not be taken for the server's EncryptedExtensions."""
    scene = Scene("client", behind={Type.SERVER_HELLO: behind}).play()

    assert scene.failure.alert == UNEXPECTED_MESSAGE
    assert scene.failure.reason == "handshake data follows in the record that changes keys"
    assert scene.alerts == [(2, UNEXPECTED_MESSAGE)]
    assert scene.subject.negotiated is None


def test_plaintext_packed_behind_a_client_hello_never_counts_as_encrypted():
    scene = Scene("server", behind={Type.CLIENT_HELLO: b"\x14\0\0\x30" + bytes(48)}).play()

    assert scene.failure.alert == UNEXPECTED_MESSAGE


@roles
def test_what_is_packed_behind_finished_is_refused_before_the_handshake_counts_as_complete(role):
    scene = Scene(role, behind={Type.FINISHED: UPDATE}).play()

    assert scene.failure.alert == UNEXPECTED_MESSAGE
    assert not scene.subject.handshake_complete


@roles
def test_a_finished_under_the_wrong_key_does_not_decrypt(role):
    scene = Scene(role).until_our_flight()
    suite, _secret = next(iter(scene.secrets.values()))
    scene.feed(seal(SendProtection(suite, tls.Secret(bytes(48))), HANDSHAKE, b"\x14\0\0\x30"))

    assert scene.failure.alert == BAD_RECORD_MAC


def test_our_own_update_is_read_by_the_peer(monkeypatch):
    monkeypatch.setattr("pqproxy.tls.record.REKEY_AFTER", 3)
    scene = Scene("server", ours={"groups": GROUPS}).play()
    for _ in range(10):
        scene.subject.send(b"x")
    data = scene.hear()
    scene.peer.feed(data)

    assert bytes(scene.peer.received) == b"x" * 10
    updates = [c for kind, c in scene.contents if kind == HANDSHAKE and c[0] == Type.KEY_UPDATE]
    assert updates == [UPDATE] * 3
