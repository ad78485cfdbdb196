"""The parameter sets of ML-KEM (FIPS 203 §8), and the checks every provider makes alike.

Lengths are checked here before a library sees the bytes: liboqs-python pads short input with
zeros and accepts it.
"""

from dataclasses import dataclass
from functools import cache

from pqproxy.crypto.errors import InvalidInput

SEED_LENGTH = 64  # d || z (FIPS 203 §7.1)

_Q = 3329
_POLYNOMIAL_LENGTH = 384  # 256 coefficients of 12 bits
_RHO_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One row of FIPS 203, table 2; `k` is the rank of its module."""

    name: str
    k: int
    ciphertext_length: int

    @property
    def encapsulation_key_length(self) -> int:
        """The polynomials, and the seed of the matrix."""
        return _POLYNOMIAL_LENGTH * self.k + _RHO_LENGTH

    def check_seed(self, seed: bytes) -> None:
        """Refuse a seed of the wrong length."""
        self._check_length("seed", seed, SEED_LENGTH)

    def check_ciphertext(self, ciphertext: bytes) -> None:
        """Refuse a ciphertext of the wrong length (§7.3, ciphertext type check)."""
        self._check_length("ciphertext", ciphertext, self.ciphertext_length)

    def check_encapsulation_key_length(self, encapsulation_key: bytes) -> None:
        """Refuse a key of the wrong length (§7.2, type check)."""
        self._check_length("encapsulation key", encapsulation_key, self.encapsulation_key_length)

    def check_modulus(self, encapsulation_key: bytes) -> None:
        """Refuse a key with a coefficient that is not below q (§7.2, modulus check).

        The coefficients are 12-bit fields of one little-endian integer, so all of one parity are
        compared at once: adding 4096 - q carries into the free bits above a field exactly when
        it holds q or more. A key is public: the time this takes tells nobody anything.
        """
        polynomials = encapsulation_key[: _POLYNOMIAL_LENGTH * self.k]
        fields = int.from_bytes(polynomials, "little")
        low, bias, carries = _masks(self.k)
        if (((fields & low) + bias) | (((fields >> 12) & low) + bias)) & carries:
            raise self.modulus_refusal()

    def modulus_refusal(self) -> InvalidInput:
        """One wording, whichever library finds it."""
        return InvalidInput(f"{self.name} encapsulation key has a coefficient not below {_Q}")

    def _check_length(self, what: str, data: bytes, expected: int) -> None:
        if len(data) != expected:
            raise InvalidInput(f"{self.name} {what} has {len(data)} bytes, must have {expected}")


@cache
def _masks(k: int) -> tuple[int, int, int]:
    """Return every second field, what is added to it, and the bit that then says too large."""
    every_second = sum(1 << 24 * position for position in range(k * _POLYNOMIAL_LENGTH // 3))
    return every_second * 0xFFF, every_second * (0x1000 - _Q), every_second << 12


ML_KEM_768 = ParameterSet("ML-KEM-768", 3, 1088)
ML_KEM_1024 = ParameterSet("ML-KEM-1024", 4, 1568)
PARAMETER_SETS = (ML_KEM_768, ML_KEM_1024)


@dataclass(frozen=True, slots=True)
class MlKem:
    """What is the same whoever computes: the names and lengths of `Kem`."""

    parameters: ParameterSet

    @property
    def name(self) -> str:
        """The standard's name."""
        return self.parameters.name

    @property
    def encapsulation_key_length(self) -> int:
        """Bytes of the public half."""
        return self.parameters.encapsulation_key_length

    @property
    def ciphertext_length(self) -> int:
        """Bytes of a ciphertext."""
        return self.parameters.ciphertext_length
