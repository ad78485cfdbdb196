from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.signing.errors import MalformedSignature
from pqproxy.signing.statement import CONTEXT, Statement
from pqproxy.tls.signatures import certificate_verify_content

STATEMENT = Statement(
    algorithm="MLDSA65-ECDSA-P256-SHA512",
    signer=bytes(range(32)),
    content=bytes(range(64)),
    size=53_687_091_200,
    time=datetime(2026, 11, 21, 15, 42, 43, tzinfo=UTC),
)
WRITTEN = b"""pqproxy-signature/1
algorithm MLDSA65-ECDSA-P256-SHA512
signer sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
content sha512:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f
size 53687091200
time 2026-11-21T15:42:43Z
"""


def refusal_of(data):
    with pytest.raises(MalformedSignature) as refusal:
        Statement.read(data)
    return str(refusal.value)


def test_the_bytes_are_those_of_the_document():
    """Another verifier is written after docs/signatures.md: these may never change."""
    assert STATEMENT.write() == WRITTEN
    assert Statement.read(WRITTEN) == STATEMENT
    assert CONTEXT == b"pqproxy-signature/1"


@given(
    st.builds(
        Statement,
        algorithm=st.from_regex(r"[A-Za-z0-9-]{1,64}", fullmatch=True),
        signer=st.binary(min_size=32, max_size=32),
        content=st.binary(min_size=64, max_size=64),
        size=st.integers(0, 2**63 - 1),
        time=st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(microsecond=0)),
    )
)
def test_what_is_written_is_read(statement):
    assert Statement.read(statement.write()) == statement


def test_a_time_of_another_zone_is_written_in_utc():
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    assert replace(STATEMENT, time=STATEMENT.time.astimezone(elsewhere)).write() == WRITTEN


def test_every_prefix_and_every_continuation_is_refused():
    for length in range(len(WRITTEN)):
        refusal_of(WRITTEN[:length])
    for more in (b"\n", b" ", b"\0", b"size 1\n", WRITTEN):
        refusal_of(WRITTEN + more)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"size 5", b"size 05"),
        (b"size 5", b"size +5"),
        (b"size 5", b"size  5"),
        (b"size 5", b"size -5"),
        (b"size 53687091200", "size \N{ARABIC-INDIC DIGIT FIVE}".encode()),
        (b"sha256:000102030405060708090a", b"sha256:000102030405060708090A"),
        (b"sha256:00", b"sha256:"),
        (b"content sha512", b"content sha256"),
        (b"T15:42:43Z", b"T15:42:43+00:00"),
        (b"T15:42:43Z", b" 15:42:43Z"),
        (b"T15:42:43Z", b"T15:42:60Z"),
        (b"T15:42:43Z", b"T15:42:43.0Z"),
        (b"-11-21T", b"-13-21T"),
        (b"2026-11-21T", b"2026-02-30T"),
        (b"time 2026", b"time 0000"),
        (b"algorithm MLDSA65", b"algorithm  MLDSA65"),
        (b"algorithm MLDSA65", b"Algorithm MLDSA65"),
        (b"algorithm MLDSA65", "algorithm \N{FULLWIDTH LATIN CAPITAL LETTER M}LDSA65".encode()),
        (b"signer", b"x-more: 1\nsigner"),
    ],
)
def test_there_is_one_way_to_write_a_statement(one, other):
    """A field that two programs read differently is a signature of two things."""
    changed = WRITTEN.replace(one, other, 1)
    assert changed != WRITTEN

    assert refusal_of(changed) == "its statement is not in the form of version 1"


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_are_the_one_form(data):
    for candidate in (data, WRITTEN[:21] + data, WRITTEN[:-30] + data):
        try:
            statement = Statement.read(candidate)
        except MalformedSignature:
            continue
        assert statement.write() == candidate


@given(st.integers(0, len(WRITTEN) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_says_something_else(position, value):
    changed = bytearray(WRITTEN)
    changed[position] = value
    try:
        statement = Statement.read(bytes(changed))
    except MalformedSignature:
        return
    assert statement.write() == changed
    assert (statement == STATEMENT) is (changed == WRITTEN)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"untrusted comment: signify\n", "no signature file of pqproxy"),
        (b"", "no signature file of pqproxy"),
        (WRITTEN.replace(b"\n", b"\r\n"), "line ends were changed"),
        (WRITTEN.replace(b"/1", b"/2"), "is of version 2, and only version 1 is known"),
        (WRITTEN.replace(b"/1", b"/\x1b[2J"), "not in the form of version 1"),
        (WRITTEN.replace(b"/1", b"/" + b"9" * 99), "not in the form of version 1"),
    ],
)
def test_what_is_wrong_is_said(data, said):
    assert said in refusal_of(data)


def test_a_statement_is_nothing_else_that_such_a_key_signs():
    """ECDSA has no contexts: there the first bytes alone keep signatures apart."""
    handshake = certificate_verify_content(b"TLS 1.3, server CertificateVerify", bytes(48))
    der_sequence = b"\x30"

    assert STATEMENT.write()[:1] not in (handshake[:1], der_sequence)
