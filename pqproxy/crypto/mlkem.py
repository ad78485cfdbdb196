"""The parameter sets of ML-KEM (FIPS 203 §8), and the checks every provider makes alike.

Lengths are checked here before a library sees the bytes: liboqs-python pads short input with
zeros and accepts it.
"""

from dataclasses import dataclass
from functools import cache

from pqproxy.crypto.errors import InvalidInput

SEED_LENGTH = 64  # d || z (FIPS 203 §7.1)
SHARED_SECRET_LENGTH = 32

# One wording for both providers, whoever finds it.
OUT_OF_RANGE = "encapsulation key has a coefficient that is not below q"

_Q = 3329
_COEFFICIENTS_PER_POLYNOMIAL = 256
_SEED_RHO_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One row of FIPS 203, table 2; `k` is the rank of its module."""

    name: str
    k: int
    ciphertext_length: int

    @property
    def encapsulation_key_length(self) -> int:
        """Twelve bits a coefficient, and the seed of the matrix."""
        return 384 * self.k + _SEED_RHO_LENGTH


ML_KEM_768 = ParameterSet("ML-KEM-768", 3, 1088)
ML_KEM_1024 = ParameterSet("ML-KEM-1024", 4, 1568)
PARAMETER_SETS = (ML_KEM_768, ML_KEM_1024)


def check_length(what: str, data: bytes, expected: int) -> None:
    """Refuse anything but exactly `expected` bytes."""
    if len(data) != expected:
        raise InvalidInput(f"{what} has {len(data)} bytes, must have {expected}")


def check_modulus(parameters: ParameterSet, encapsulation_key: bytes) -> None:
    """Refuse a key with a coefficient that is not below q (FIPS 203 §7.2, modulus check).

    For libraries that may not check it themselves. The coefficients are 12-bit fields of one
    little-endian integer, so all of one parity are compared at once: adding 4096 - q carries
    into the free bits above a field exactly when it holds q or more. A key is public: the time
    this takes tells nobody anything.
    """
    fields = int.from_bytes(encapsulation_key[: 384 * parameters.k], "little")
    pairs = parameters.k * _COEFFICIENTS_PER_POLYNOMIAL // 2
    ones = _every_24_bits(pairs)
    low, bias, carries = ones * 0xFFF, ones * (4096 - _Q), ones << 12
    if (((fields & low) + bias) | ((fields >> 12 & low) + bias)) & carries:
        raise InvalidInput(f"{parameters.name} {OUT_OF_RANGE}")


@cache
def _every_24_bits(count: int) -> int:
    return sum(1 << 24 * position for position in range(count))
