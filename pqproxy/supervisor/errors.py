"""What keeps the supervisor from running, or from changing, in words for a person."""


class StartFailure(Exception):
    """Nothing can be served. `hint` says what to do about it, where that is known."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ReloadFailure(Exception):
    """Settings that are not put in force. `problems` has a line for each thing to repair."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
