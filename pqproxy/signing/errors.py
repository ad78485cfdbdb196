"""What can go wrong with signatures of content, apart from a signature that is not good.

A negative verdict is no error of ours: see `verdict`. No message holds a byte of a key.
"""


class SigningError(Exception):
    """Nothing is signed; `fix` says what to do about it."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class ContentChanged(Exception):
    """A file became another one while it was read: nothing can be said of it."""


class MalformedSignature(Exception):
    """These bytes are no signature file of a version that we know."""
