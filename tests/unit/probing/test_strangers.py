import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.probing.strangers import caller_protocol, server_protocol


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "plaintext HTTP"),
        (b"<!DOCTYPE HTML>", "plaintext HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"220 mail.test ESMTP\r\n", "SMTP"),
        (b"220 ready\r\n", "FTP or SMTP"),
        (b"* OK IMAP4rev1", "IMAP"),
        (b"-ERR unknown command", "Redis"),
        (bytes.fromhex("000012040000000000"), "plaintext HTTP/2"),
        (b"J\x00\x00\x00\x0a8.0.36", "MySQL"),
        (b"\x00", "something unknown"),
        (b"", "something unknown"),
    ],
)
def test_a_server_is_named_by_what_it_says_first(said, name):
    assert server_protocol(said) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"GET / HTTP/1.1\r\n", "plaintext HTTP"),
        (b"POST /v1/chat/comp", "plaintext HTTP"),
        (b"PROPFIND /x HTTP/1.1\r\n", "plaintext HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM", "plaintext HTTP/2"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"PROXY TCP4 10.0.0.1", "the PROXY protocol"),
        (bytes.fromhex("802e0100020015"), "SSL 2.0"),
        (bytes.fromhex("802e010301"), "SSL 2.0"),
        (bytes.fromhex("0000000804d2162f"), "PostgreSQL, asking whether TLS may follow"),
        (b"\x00\x01", "something unknown"),
    ],
)
def test_a_caller_is_named_by_what_it_says_first(said, name):
    assert caller_protocol(said) == name


@given(st.binary(max_size=300))
def test_any_bytes_have_a_name(data):
    assert server_protocol(data)
    assert caller_protocol(data)
