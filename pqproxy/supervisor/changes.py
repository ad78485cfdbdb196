"""What differs between the settings in force and those that are to follow, in words.

Settings that are read at the start only are named here, too: a reload that would change one is
refused as a whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pqproxy.config.problems import Path
from pqproxy.config.recipes import Recipe, recipes
from pqproxy.config.values import IdentityFiles, Settings, TrustFiles

# What a running pqproxy cannot change, by where it is written.
AT_START: dict[str, Path] = {
    "workers": ("workers",),
    "control": ("control", "listen"),
    "health": ("health", "listen"),
    "landlock": ("hardening", "landlock"),
}
# What it changes in one piece, besides listeners and what these use.
IN_ONE_PIECE = ("provider", "drain", "probes", "upstream_metrics", "log")


@dataclass(frozen=True, slots=True)
class Changes:
    """Names, in the order of the configuration."""

    added: tuple[str, ...] = ()  # listeners
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # and what about them
    identities: tuple[str, ...] = ()  # with another certificate or key
    trust: tuple[str, ...] = ()  # with other roots or revocations
    other: tuple[str, ...] = ()  # settings that belong to no listener

    def __bool__(self) -> bool:
        return any(getattr(self, part.name) for part in fields(self))

    def __str__(self) -> str:
        changed = [f"{name} ({', '.join(what)})" for name, what in self.changed.items()]
        parts = (
            ("added", self.added),
            ("removed", self.removed),
            ("changed", changed),
            ("new certificates of", self.identities),
            ("new trust in", self.trust),
            ("other", self.other),
        )
        said = [f"{title} {', '.join(names)}" for title, names in parts if names]
        return "; ".join(said) or "nothing has changed"

    def document(self) -> dict[str, Any]:
        """The same as JSON can carry it."""
        return {
            "added": self.added,
            "removed": self.removed,
            "changed": dict(self.changed),
            "identities": self.identities,
            "trust": self.trust,
            "other": self.other,
        }


def changes(before: Settings, after: Settings) -> Changes:
    """Compare."""
    old, new = recipes(before), recipes(after)
    return Changes(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed={
            name: tuple(_differences(old[name], recipe))
            for name, recipe in new.items()
            if name in old and old[name] != recipe
        },
        identities=_exchanged(before.identities, after.identities),
        trust=_exchanged(before.trust, after.trust),
        other=tuple(name for name in IN_ONE_PIECE if getattr(before, name) != getattr(after, name)),
    )


def restart_needed(before: Settings, after: Settings) -> Iterator[tuple[Path, str]]:
    """What only a restart can change: where it is written, and what to say of it."""
    for name, path in AT_START.items():
        if getattr(before, name) != getattr(after, name):
            yield path, f"restart needed: a reload cannot change it from {getattr(before, name)}"


def _differences(old: Recipe, new: Recipe) -> Iterator[str]:
    """What to call the parts of a listener that are not the same."""
    if type(old.listener) is not type(new.listener):
        yield "role"
        return
    for part in fields(new.listener):
        here, there = getattr(old.listener, part.name), getattr(new.listener, part.name)
        if part.compare and here != there:  # what is only shown makes no other listener
            yield part.name
    if old.provider != new.provider:
        yield "provider"
    if old.listener.identities == new.listener.identities and old.identities != new.identities:
        yield "certificates"
    if old.listener.trust == new.listener.trust:
        yield from _trust_differences(old.trust, new.trust)


def _trust_differences(old: TrustFiles | None, new: TrustFiles | None) -> Iterator[str]:
    if old is None or new is None or old == new:
        return
    if old.roots != new.roots or old.source != new.source:
        yield "roots"
    if old.revoked != new.revoked:
        yield "revocation lists"
    if old.deny != new.deny:
        yield "deny"


def _exchanged(
    before: Iterable[IdentityFiles | TrustFiles], after: Iterable[IdentityFiles | TrustFiles]
) -> tuple[str, ...]:
    known = {files.name: files for files in before}
    return tuple(files.name for files in after if known.get(files.name, files) != files)
