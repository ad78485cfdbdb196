import base64
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pqproxy.signing.envelope import MAX_CERTIFICATES, SIZE_LIMIT, Envelope
from pqproxy.signing.errors import MalformedSignature
from pqproxy.signing.statement import Statement

LEAF, ISSUER = b"leaf" * 40, b"issuer" * 30
STATEMENT = Statement(
    "ML-DSA-65", sha256(LEAF).digest(), bytes(64), 5, datetime(2026, 11, 21, tzinfo=UTC)
)
ENVELOPE = Envelope(STATEMENT, b"signature" * 20, (LEAF, ISSUER))
WRITTEN = ENVELOPE.write()
UNKNOWN_BLOCK = b"-----BEGIN X-----\nYQ==\n-----END X-----\n"


def refusal_of(data):
    with pytest.raises(MalformedSignature) as refusal:
        Envelope.read(data)
    return str(refusal.value)


def test_the_bytes_are_those_of_the_document():
    """Lines of 64 characters, as PEM has them: OpenSSL finds the certificates in such a file."""
    body = base64.b64encode(b"signature" * 20).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    expected = "\n".join(
        ["-----BEGIN PQPROXY SIGNATURE-----", *lines, "-----END PQPROXY SIGNATURE-----", ""]
    )

    assert WRITTEN.startswith(STATEMENT.write() + expected.encode())
    assert WRITTEN.count(b"-----BEGIN CERTIFICATE-----\n") == 2
    assert Envelope.read(WRITTEN) == ENVELOPE


@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.binary(min_size=1, max_size=200), max_size=MAX_CERTIFICATES - 1),
)
def test_what_is_written_is_read(signature, issuers):
    envelope = Envelope(STATEMENT, signature, (LEAF, *issuers))
    assert Envelope.read(envelope.write()) == envelope


def test_every_prefix_but_one_without_the_last_certificates_is_refused():
    """A certificate less is another chain, for the path to judge; nothing of it is signed."""
    shorter = Envelope(STATEMENT, ENVELOPE.signature, (LEAF,)).write()
    for length in range(len(WRITTEN)):
        if WRITTEN[:length] != shorter:
            refusal_of(WRITTEN[:length])


@pytest.mark.parametrize(
    "changed",
    [
        WRITTEN + b"\n",
        WRITTEN + b"more",
        WRITTEN[:-1],
        b" " + WRITTEN,
        WRITTEN.replace(b"-----BEGIN PQPROXY", b"\n-----BEGIN PQPROXY"),
        WRITTEN.replace(b"-----BEGIN CERT", b"hidden\n-----BEGIN CERT", 1),
        WRITTEN.replace(b"-----BEGIN CERT", UNKNOWN_BLOCK + b"-----BEGIN CERT", 1),
        WRITTEN.replace(b"\n-----END", b"\n\n-----END", 1),
        WRITTEN.replace(b"\n-----END", b" \n-----END", 1),
        WRITTEN.replace(b"\n-----END", b"=\n-----END", 1),
        WRITTEN.replace(b"\n", b"\r\n"),
        WRITTEN.replace(b"-----END CERTIFICATE", b"-----END PQPROXY SIGNATURE", 1),
        WRITTEN.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"),
    ],
)
def test_there_is_one_way_to_write_a_file(changed):
    assert changed != WRITTEN
    refusal_of(changed)


def test_other_line_lengths_and_loose_bits_of_base64_are_refused():
    """`YQ==` and `YR==` decode alike: the second has bits that nobody reads."""
    loose = Envelope(STATEMENT, b"a", (LEAF,)).write()
    assert b"\nYQ==\n" in loose
    assert Envelope.read(loose).signature == b"a"

    assert "is damaged" in refusal_of(loose.replace(b"YQ==", b"YR=="))
    assert "is damaged" in refusal_of(loose.replace(b"YQ==", b"YQ\n=="))


def test_the_order_of_the_parts_is_one():
    statement = STATEMENT.write()
    signature = WRITTEN[len(statement) : WRITTEN.index(b"-----BEGIN CERT")]
    certificates = WRITTEN[WRITTEN.index(b"-----BEGIN CERT") :]

    refusal_of(statement + certificates + signature)
    refusal_of(signature + statement + certificates)


@pytest.mark.parametrize(
    ("envelope", "said"),
    [
        (Envelope(STATEMENT, b"s", ()), "holds 0 certificates"),
        (Envelope(STATEMENT, b"s", (LEAF,) * 7), "holds 7 certificates"),
        (Envelope(STATEMENT, b"s", (ISSUER, LEAF)), "not the one its statement names"),
    ],
)
def test_a_chain_that_cannot_be_is_refused(envelope, said):
    assert said in refusal_of(envelope.write())


def test_there_is_exactly_one_signature():
    statement = STATEMENT.write()
    block = WRITTEN[len(statement) : WRITTEN.index(b"-----BEGIN CERT")]
    certificates = WRITTEN[len(statement) + len(block) :]

    assert "0 signatures" in refusal_of(statement + certificates)
    assert "2 signatures" in refusal_of(statement + block + block + certificates)
    assert "0 signatures" in refusal_of(statement)


def test_no_large_file_is_read():
    assert "is larger than the 65536 bytes" in refusal_of(WRITTEN + bytes(SIZE_LIMIT))
    assert refusal_of(b"") == "it is empty"


@given(st.binary(max_size=300))
@example(b"-----BEGIN PQPROXY SIGNATURE-----\nA\n-----END PQPROXY SIGNATURE-----\n")
@example("-----BEGIN PQPROXY SIGNATURE-----\n\N{DIGIT ONE}\n-----END".encode())
def test_any_bytes_are_refused_or_are_the_one_form(data):
    head = STATEMENT.write()
    for candidate in (data, head + data, head + b"-----" + data, WRITTEN[:-200] + data):
        try:
            envelope = Envelope.read(candidate)
        except MalformedSignature:
            continue
        assert envelope.write() == candidate


@given(st.integers(0, len(WRITTEN) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_what_is_read(position, flip):
    changed = bytearray(WRITTEN)
    changed[position] ^= flip
    with suppress(MalformedSignature):
        assert Envelope.read(bytes(changed)) != ENVELOPE
