"""What a run goes by at this moment: one object for all who use it or show it.

A reload exchanges what is in it, at once and as a whole. Listeners that are gone are remembered by
name, since what they counted stays in the sums of the run: a counter that went down would look like
a restart to whoever adds them up.
"""

from pqproxy.config.values import Egress, Ingress, Settings
from pqproxy.supervisor.certificates import CertificateEnd, certificate_ends


class InForce:
    """The settings in force, and what follows from them."""

    settings: Settings
    certificates: tuple[CertificateEnd, ...]

    def __init__(self, settings: Settings) -> None:
        self.roles: dict[str, str] = {}  # of every listener that there ever was in this run
        self._known: dict[str, Ingress | Egress] = {}
        self.replace(settings)

    def replace(self, settings: Settings) -> None:
        """Go by other settings from now on."""
        self.settings = settings
        self.certificates = certificate_ends(settings)
        self.roles |= settings.roles
        self._known |= {ingress.name: ingress for ingress in settings.ingress}
        self._known |= {egress.name: egress for egress in settings.egress}

    def listens(self, name: str) -> bool:
        """Whether there is such a listener now."""
        return name in self.settings.roles

    def listener(self, name: str) -> Ingress | Egress:
        """A listener, as it was last where it is gone."""
        return self._known[name]
