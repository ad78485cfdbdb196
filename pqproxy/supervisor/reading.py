"""What settings were read from, so that they can be read again: all of it, or the files only.

A renewal that arrives while somebody edits the configuration must not put half of his work in
force, nor fail for it: so what is in force knows how to read its own files once more.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pqproxy.config.values import Settings


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings, and the same configuration over its files as they are by then.

    `again` raises ReloadFailure with every problem. It may take its time, in a thread of its own.
    """

    settings: Settings
    again: Callable[[], Settings]


# Reads everything anew, given the settings in force. Raises ReloadFailure, too.
Reread = Callable[[Settings], Reading]


@dataclass(slots=True)
class Readings:
    """What is in force, and where what follows comes from."""

    in_force: Reading
    reread: Reread

    def configuration(self) -> Reading:
        """Read the configuration and its files."""
        return self.reread(self.in_force.settings)

    def files(self) -> Reading:
        """Read the files of what is in force."""
        return Reading(self.in_force.again(), self.in_force.again)
