from itertools import islice

import pytest

from pqproxy.tls.nonces import record_nonces


@pytest.mark.parametrize("iv", [bytes(12), b"\xff" * 12, bytes(range(0xF0, 0xFC))])
def test_a_nonce_is_the_number_of_the_record_in_the_iv(iv):
    """RFC 9846 §5.3, beyond the first byte that carries over."""
    ivs = int.from_bytes(iv, "big")
    wanted = [(ivs ^ number).to_bytes(12, "big") for number in range(70_000)]

    assert list(islice(record_nonces(iv), 70_000)) == wanted
