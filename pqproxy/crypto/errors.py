"""What can go wrong below TLS.

No message here ever holds the bytes it speaks of: a refused ciphertext ends up in a log, and a
private key must not.
"""


class CryptoError(Exception):
    """A message for the person who runs pqproxy."""


class ProviderUnavailable(CryptoError):
    """A provider cannot be used on this machine; the message says what is missing and the fix."""


class PrivateKeyError(CryptoError):
    """A private key cannot be used; the message says what was found and how to convert it."""


class InvalidInput(ValueError):
    """Bytes from a peer are refused: wrong length, or not a valid key."""


class InvalidSignature(Exception):
    """A signature does not verify under this key and algorithm."""
