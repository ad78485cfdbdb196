"""Everything that one listener is made of, to tell after a reload which listeners are to change.

A certificate that was replaced, or a root that was added, changes the listeners that use it and no
other.
"""

from dataclasses import dataclass

from pqproxy.config.values import Egress, IdentityFiles, Ingress, Settings, TrustFiles


@dataclass(frozen=True, slots=True)
class Recipe:
    """A listener with what its names stand for. Equal recipes make services that do the same."""

    listener: Ingress | Egress
    provider: str
    identities: tuple[IdentityFiles, ...]
    trust: TrustFiles | None


def recipes(settings: Settings) -> dict[str, Recipe]:
    """The recipe of each listener, by its name."""
    identities = {files.name: files for files in settings.identities}
    trust = {files.name: files for files in settings.trust}
    listeners: tuple[Ingress | Egress, ...] = (*settings.ingress, *settings.egress)
    return {
        listener.name: Recipe(
            listener,
            settings.provider,
            tuple(identities[name] for name in listener.identities),
            None if listener.trust is None else trust[listener.trust],
        )
        for listener in listeners
    }
