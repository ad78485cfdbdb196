"""When Python looks for garbage: hardly while a process starts, and never at what lives to the end.

A start makes some hundred thousand objects that are never garbage. Looked through each time that
700 more have come, they take a third of its time; and at the exit they are looked through again.
"""

import gc

# Not "never": a command that goes on for days, or fails, must not grow.
_AT_A_START = 100_000

_usual = gc.get_threshold()


def spare_the_start() -> None:
    """Look for garbage seldom, from before most modules are imported until `settle`."""
    gc.set_threshold(_AT_A_START, *_usual[1:])


def settle() -> None:
    """Take all that there is for something that lives to the end, and look as usual again."""
    gc.freeze()
    gc.set_threshold(*_usual)
