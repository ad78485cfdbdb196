from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.probing.greeting import BROKEN, SILENT, GreetingReader
from pqproxy.probing.pieces import Cut, pieces
from pqproxy.tls import NamedGroup
from tests.support.loopback import Endpoint

HELLOS = Path(__file__).parent / "hellos"


def heard(*reads):
    reader = GreetingReader()
    for data in reads:
        if not reader.is_done:
            reader.feed(data)
    return reader.greeting()


def recorded(name):
    return (HELLOS / f"{name}.bin").read_bytes()


def test_a_hello_is_read_with_all_it_offers():
    greeting = heard(recorded("chrome"))
    hello = greeting.hello

    assert greeting.protocol == "TLS 1.3"
    assert greeting.is_post_quantum
    assert hello.has_grease
    assert hello.offer.server_name == "localhost"
    assert NamedGroup.X25519MLKEM768 in hello.offer.key_shares
    assert (hello.size, hello.records, hello.reads) == (len(recorded("chrome")) - 5, 1, 1)


@pytest.mark.parametrize(
    ("cut", "records", "reads"), [(Cut.WHOLE, 1, 1), (Cut.SEGMENTS, 1, 3), (Cut.RECORDS, 3, 1)]
)
def test_however_it_is_cut_it_is_the_same(cut, records, reads):
    record = Endpoint.client().take()
    hello = heard(*pieces(record, cut)).hello

    assert (hello.records, hello.reads) == (records, reads)
    assert hello.offer == heard(record).hello.offer


def test_byte_by_byte_it_is_the_same():
    record = recorded("go-1.27")

    assert heard(*(record[i : i + 1] for i in range(len(record)))).hello.reads == len(record)


@pytest.mark.parametrize(
    ("name", "protocol", "is_ready"),
    [
        ("openssl-3.0", "TLS 1.3", False),
        ("openssl-3.0-tls-1.2", "TLS 1.2", False),
        ("openssl-3.5", "TLS 1.3", True),
        ("go-1.23", "TLS 1.3", False),  # a draft that no server speaks any longer
    ],
)
def test_ready_is_who_offers_such_a_group_with_tls_1_3(name, protocol, is_ready):
    greeting = heard(recorded(name))

    assert (greeting.protocol, greeting.is_post_quantum) == (protocol, is_ready)


@pytest.mark.parametrize(
    ("reads", "protocol"),
    [
        ((b"GET / HTTP/1.1\r\n",), "plaintext HTTP"),
        ((b"G", b"ET / HT", b"TP/1.1\r\n"), "plaintext HTTP"),
        ((b"SSH-2.0-x\r\n",), "SSH"),
        ((bytes.fromhex("802e0100020015000000100100800200"),), "SSL 2.0"),
        ((b"\x00\x01\x02",), "something unknown"),
        ((), SILENT),
        ((b"\x16\x03\x01\x40",), BROKEN),
        ((b"\x15\x03\x01\x00\x02\x02\x28" + bytes(9),), BROKEN),
        ((bytes.fromhex("160301000401000000") + bytes(20),), BROKEN),
        ((bytes.fromhex("1603010004") + b"\x02\x00\x00\x00",), BROKEN),
        ((recorded("curl-tls-1.2")[:9] + bytes(2000),), BROKEN),
    ],
)
def test_what_is_no_hello_is_told_apart(reads, protocol):
    greeting = heard(*reads)

    assert greeting.protocol == protocol
    assert greeting.hello is None
    assert not greeting.is_post_quantum


def test_a_hello_that_never_ends_is_not_kept():
    """A record's header says 16 KB at most, and a message's 128 KB."""
    assert heard(b"\x16\x03\x01\xff\xff").protocol == BROKEN
    assert heard(bytes.fromhex("1603010004" + "01ffffff")).protocol == BROKEN


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_any_bytes_are_a_greeting(reads, is_handshake):
    prefix = (b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c",) if is_handshake else ()

    assert heard(*prefix, *reads).protocol


@given(st.integers(0, 1400), st.binary(min_size=1, max_size=40))
def test_a_hello_with_damage_is_a_greeting(position, damage):
    record = bytearray(recorded("go-1.27"))
    record[position : position + len(damage)] = damage

    assert heard(bytes(record)).protocol
