"""What keeps the supervisor from running, in words for the person who started it."""


class StartFailure(Exception):
    """Nothing can be served. `hint` says what to do about it, where that is known."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
