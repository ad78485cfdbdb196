import hashlib
import hmac

import pytest

from pqproxy import tls
from pqproxy.tls.exporter import Exporter
from pqproxy.tls.key_schedule import SUITES
from tests.support.playbook import Schedule

SUITE = SUITES[tls.CipherSuite.TLS_AES_256_GCM_SHA384]
SECRET = b"s" * 48
EXPORTER = Exporter(SUITE, tls.Secret(SECRET))


def expected(label, context, length):
    """§7.5 a second time: HKDF-Expand in full, with nothing but hmac."""
    schedule = Schedule("sha384", bytes(48))
    derived = schedule.expand(SECRET, label, hashlib.sha384(b"").digest())
    hashed = hashlib.sha384(context).digest()
    info = length.to_bytes(2, "big") + b"\x0etls13 exporter" + b"\x30" + hashed
    block, found = b"", b""
    for number in range(1, 256):
        block = hmac.digest(derived, block + info + bytes((number,)), "sha384")
        found += block
    return found[:length]


@pytest.mark.parametrize("length", [0, 1, 32, 48, 49, 200, 255 * 48])
def test_any_length_that_the_standard_allows_is_exported(length):
    exported = EXPORTER.export(b"EXPORTER-test", b"context", length)

    assert len(exported) == length
    assert exported == expected("EXPORTER-test", b"context", length)


def test_label_context_and_length_all_make_another_key():
    made = {
        EXPORTER.export(label, context, length)[:16]
        for label in (b"a", b"b")
        for context in (b"", b"c")
        for length in (16, 32)
    }

    assert len(made) == 8


@pytest.mark.parametrize(("label", "length"), [(b"x", -1), (b"x", 255 * 48 + 1), (b"x" * 250, 32)])
def test_what_cannot_be_expressed_is_an_error_of_the_caller(label, length):
    with pytest.raises(ValueError, match="exporter"):
        EXPORTER.export(label, b"", length)


def test_the_longest_label_is_taken():
    assert len(EXPORTER.export(b"x" * 249, b"", 32)) == 32


def test_the_secret_is_not_printed():
    assert "ssss" not in repr(EXPORTER)
