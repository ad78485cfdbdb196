"""What a connection may cost while it waits: the largest hello leaves little behind."""

import tracemalloc
from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.tls.codepoints import ContentType, ExtensionType
from pqproxy.tls.extensions import write_uint16_list
from tests.support import hostile

X25519, P256 = tls.NamedGroup.x25519, tls.NamedGroup.secp256r1
LARGEST_HELLO = 128 * 1024


def large_hello():
    """As many code points as fit: 31 000 groups, 30 000 suites."""
    groups = write_uint16_list((X25519, P256, *range(0x2000, 0x2000 + 31_000)))
    hello = hostile.client_hello((X25519, P256))
    hello = hostile.with_extensions(hello, {ExtensionType.SUPPORTED_GROUPS: groups})
    return replace(hello, cipher_suites=(0x1302, *range(0x4000, 0x4000 + 30_000)))


def kept(server_groups, stream):
    """Bytes that a server holds after a stream, and the server."""
    target = hostile.fresh_server(groups=server_groups)
    tracemalloc.start()
    try:
        target.endpoint.feed(stream)
        target.endpoint.take()
        return tracemalloc.get_traced_memory()[0], target
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("server_groups", "limit"),
    [((X25519,), 32 * 1024), ((P256,), LARGEST_HELLO + 32 * 1024)],
    ids=["answered", "asked again"],
)
def test_a_hello_of_60000_code_points_is_not_kept_as_such(server_groups, limit):
    stream = hostile.hello_in_records(large_hello())
    hostile.server_after_its_flight()  # so that nothing is measured that is made once
    held, target = kept(server_groups, stream)

    assert target.failure is None
    assert held < limit


def test_a_hello_that_waits_for_its_end_is_kept_as_bytes():
    stream = hostile.hello_in_records(large_hello())[:-1]
    held, target = kept((X25519,), stream)

    assert target.failure is None
    assert held < len(stream) + 64 * 1024


def test_a_finished_handshake_holds_no_megabyte_of_anything():
    hostile.server_after_handshake()
    tracemalloc.start()
    try:
        target = hostile.server_after_handshake()
        target.say(ContentType.APPLICATION_DATA, b"x")
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert held < 256 * 1024
