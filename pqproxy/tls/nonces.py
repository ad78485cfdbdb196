"""The nonces of records (RFC 9846 §5.3).

Knows nothing of keys and records: one iterator serves one direction under one key.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count
from operator import methodcaller
from struct import Struct

_LENGTH = 12
# So many are made at a time, side by side in one number: a third of what one by itself costs.
_BLOCK = 8
_BITS = 8 * _LENGTH
_EACH = sum(1 << _BITS * place for place in range(_BLOCK))  # times n: n in every place
_FIRST = sum(n << _BITS * (_BLOCK - 1 - n) for n in range(_BLOCK))
_to_bytes = methodcaller("to_bytes", _BLOCK * _LENGTH, "big")
_cut = Struct(f"{_LENGTH}s" * _BLOCK).unpack


def record_nonces(iv: bytes) -> Iterator[bytes]:
    """The nonce of each record under one key: the sequence number, in the IV (§5.3).

    Iterators of the library and no generator: one is drawn for every record.
    """
    ivs = int.from_bytes(iv, "big") * _EACH
    numbers = count(_FIRST, _BLOCK * _EACH)
    return chain.from_iterable(map(_cut, map(_to_bytes, map(ivs.__xor__, numbers))))
