"""What can go wrong below TLS.

No message here ever holds the bytes it speaks of: a refused ciphertext ends up in a log, and a
private key must not.
"""

from collections.abc import Mapping


class CryptoError(Exception):
    """A message for the person who runs pqproxy."""


class ProviderUnavailable(CryptoError):
    """A provider cannot be used on this machine; the message says what is missing and the fix."""


class PrivateKeyError(CryptoError):
    """A private key cannot be used; the message says what was found and how to convert it."""


class MismatchedKeyError(PrivateKeyError):
    """A private key is none of the certified ones."""


class InvalidInput(ValueError):
    """Bytes from a peer are refused: wrong length, or not a valid key."""


class InvalidSignature(Exception):
    """A signature does not verify under this key and algorithm."""


class InvalidHalves(InvalidSignature):
    """A composite signature does not verify; the message says which half, or both."""

    def __init__(self, name: str, halves: Mapping[str, bool]) -> None:
        """Take what each half, by the name of its algorithm, was found to be."""
        verdicts = ", ".join(
            f"the {half} half {'verifies' if good else 'does not verify'}"
            for half, good in halves.items()
        )
        super().__init__(f"{name}: {verdicts}")
        self.halves = halves
