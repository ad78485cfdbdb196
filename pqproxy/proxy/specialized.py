"""Own copies of inherited methods, for the few that run with every read.

CPython fits the bytecode of a function to the types that it meets. A method that two classes
inherit meets both and is fitted to neither, which costs a tenth of what a small record costs.
"""

from collections.abc import Callable
from types import FunctionType
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def own_copies(*names: str) -> Callable[[Class], Class]:
    """Give a class its own copies of these methods; they behave as the inherited ones."""

    def decorate(cls: Class) -> Class:
        for name in names:
            inherited = getattr(cls, name)
            code = inherited.__code__.replace()  # a new code object, with caches of its own
            copy = FunctionType(code, inherited.__globals__, name, inherited.__defaults__)
            copy.__doc__, copy.__qualname__ = inherited.__doc__, f"{cls.__name__}.{name}"
            setattr(cls, name, copy)
        return cls

    return decorate
