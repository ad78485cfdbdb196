"""What either side gets for records and post-handshake messages that may not be."""

from pqproxy.tls import AlertDescription as Alert
from tests.handshake.deviations.scenes import (
    ALERT,
    CCS,
    DATA,
    FINISHED,
    HANDSHAKE,
    KEY_UPDATE,
    Row,
    changed_record,
    connected,
    first,
    waiting,
)


def plainly(content_type, content, at=waiting):
    return lambda role: at(role).says_plainly(content_type, content)


def within(content_type, content, padding=0):
    """Under handshake keys."""
    return lambda role: waiting(role).says(content_type, content, padding)


def after(content_type, content, padding=0):
    """Under application keys."""
    return lambda role: connected(role).says(content_type, content, padding, "application")


def bare(data, at=first):
    return lambda role: at(role).feed(data)


def interrupted(content_type, content):
    """A KeyUpdate in two parts, with something between them."""

    def scene(role):
        begun = connected(role).says(HANDSHAKE, KEY_UPDATE[:3], stage="application")
        return begun.says(content_type, content, stage="application")

    return scene


def under_the_old_key(role):
    """Application data under a key that a KeyUpdate has ended."""
    updated = connected(role).says(HANDSHAKE, KEY_UPDATE, stage="application")
    return updated.says(DATA, b"old", stage="application")


def flood_of_warnings(role):
    scene = waiting(role)
    for _ in range(5):
        scene.says(ALERT, b"\1\x5a")
    return scene


UNEXPECTED, OVERFLOW = Alert.UNEXPECTED_MESSAGE, Alert.RECORD_OVERFLOW

ROWS = [
    # Alerts and empty records
    Row("a plaintext alert of one byte", Alert.DECODE_ERROR, plainly(ALERT, b"\2", first)),
    Row("an alert of three bytes", Alert.DECODE_ERROR, within(ALERT, b"\2\50\0")),
    Row("two alerts in a record", Alert.DECODE_ERROR, after(ALERT, b"\2\50\2\50")),
    Row("an empty plaintext alert", UNEXPECTED, plainly(ALERT, b"", first)),
    Row("an empty alert under keys", UNEXPECTED, within(ALERT, b"")),
    Row("a plaintext alert once keys are on", UNEXPECTED, plainly(ALERT, b"\2\50")),
    Row("a plaintext close_notify once keys are on", UNEXPECTED, plainly(ALERT, b"\1\0")),
    Row("five warnings in a row", UNEXPECTED, flood_of_warnings),
    Row("an empty plaintext handshake record", UNEXPECTED, plainly(HANDSHAKE, b"", first)),
    Row("an empty handshake record", UNEXPECTED, within(HANDSHAKE, b"", 9)),
    # Content types
    Row("a record of padding alone", UNEXPECTED, within(0, b"", 40)),
    Row("a record of one zero", UNEXPECTED, after(0, b"")),
    Row("an inner type nobody knows", UNEXPECTED, after(24, b"heartbeat")),
    Row("an outer type nobody knows", UNEXPECTED, bare(b"\x18\3\3\0\1x")),
    Row("an outer type nobody knows, later", UNEXPECTED, bare(b"\x18\3\3\0\1x", waiting)),
    Row("plain HTTP", UNEXPECTED, bare(b"HTTP/1.1 200 OK\r\n")),
    Row("plaintext once keys are on", UNEXPECTED, plainly(HANDSHAKE, FINISHED)),
    Row("application data first", UNEXPECTED, plainly(DATA, b"early", first)),
    Row("application data under handshake keys", UNEXPECTED, within(DATA, b"early")),
    Row("empty application data within the handshake", UNEXPECTED, within(DATA, b"")),
    # Compatibility records
    Row("a compatibility record of 2", UNEXPECTED, plainly(CCS, b"\2")),
    Row("a compatibility record of two bytes", UNEXPECTED, plainly(CCS, b"\1\1")),
    Row("an empty compatibility record", UNEXPECTED, plainly(CCS, b"")),
    Row("a protected compatibility record", UNEXPECTED, within(CCS, b"\1")),
    Row("one after the handshake", UNEXPECTED, plainly(CCS, b"\1", connected)),
    # Protection
    Row("a record changed in its content", Alert.BAD_RECORD_MAC, lambda r: changed_record(r, 7)),
    Row("a record changed in its tag", Alert.BAD_RECORD_MAC, lambda r: changed_record(r, -1)),
    Row("a record changed in its version", Alert.BAD_RECORD_MAC, lambda r: changed_record(r, 2)),
    Row("a record under an older key", Alert.BAD_RECORD_MAC, under_the_old_key),
    Row("no room for a tag", Alert.BAD_RECORD_MAC, bare(b"\x17\3\3\0\x0f" + bytes(15), waiting)),
    Row(
        "a tag and nothing else", Alert.BAD_RECORD_MAC, bare(b"\x17\3\3\0\x10" + b"t" * 16, waiting)
    ),
    Row("an empty record under keys", Alert.BAD_RECORD_MAC, bare(b"\x17\3\3\0\0", waiting)),
    # Sizes, judged by the header alone where it tells
    Row("a plaintext header over 2^14", OVERFLOW, bare(b"\x16\3\1\x40\1")),
    Row("a protected header over 2^14 + 256", OVERFLOW, bare(b"\x17\3\3\x41\1", waiting)),
    Row("the same before keys are on", OVERFLOW, bare(b"\x17\3\3\x41\1")),
    Row("content over 2^14", OVERFLOW, after(DATA, bytes(2**14 + 1))),
    Row("content and padding over 2^14", OVERFLOW, after(DATA, b"x", 2**14)),
    Row("handshake content over 2^14", OVERFLOW, within(HANDSHAKE, bytes(2**14 + 1))),
    # After the handshake
    Row("a KeyUpdate of two bytes", Alert.DECODE_ERROR, after(HANDSHAKE, b"\x18\0\0\2\0\0")),
    Row("a KeyUpdate of none", Alert.DECODE_ERROR, after(HANDSHAKE, b"\x18\0\0\0")),
    Row("a KeyUpdate that asks for 2", Alert.ILLEGAL_PARAMETER, after(HANDSHAKE, b"\x18\0\0\1\2")),
    Row("two KeyUpdates in a record", UNEXPECTED, after(HANDSHAKE, KEY_UPDATE * 2)),
    Row("a KeyUpdate and a part of one", UNEXPECTED, after(HANDSHAKE, KEY_UPDATE + b"\x18")),
    Row("a KeyUpdate within the handshake", UNEXPECTED, within(HANDSHAKE, KEY_UPDATE)),
    Row("a ClientHello after the handshake", UNEXPECTED, after(HANDSHAKE, b"\1\0\0\0")),
    Row("a CertificateRequest after it", UNEXPECTED, after(HANDSHAKE, b"\x0d\0\0\0")),
    Row("a Finished after it", UNEXPECTED, after(HANDSHAKE, FINISHED)),
    Row("data within a message", UNEXPECTED, interrupted(DATA, b"x")),
    Row("empty data within a message", UNEXPECTED, interrupted(DATA, b"")),
    Row("close_notify within a message", UNEXPECTED, interrupted(ALERT, b"\1\0")),
    Row("user_canceled within a message", UNEXPECTED, interrupted(ALERT, b"\1\x5a")),
    Row("a handshake type nobody knows", UNEXPECTED, within(HANDSHAKE, b"\x63\0\0\0")),
    Row("a message_hash", UNEXPECTED, within(HANDSHAKE, b"\xfe\0\0\x20" + bytes(32))),
    Row("EndOfEarlyData that nobody wants", UNEXPECTED, within(HANDSHAKE, b"\5\0\0\0")),
]
