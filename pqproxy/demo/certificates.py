"""Certificates for one run of the demo, from an authority that is thrown away with them."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pqproxy.identity.authority import create_authority, issue
from pqproxy.identity.certificates import HYBRID, LeafNames
from pqproxy.identity.leaves import leaf_files

TRUST_DOMAIN = "demo.internal"
SERVER = f"spiffe://{TRUST_DOMAIN}/model-server"
CLIENT = f"spiffe://{TRUST_DOMAIN}/client"
ALGORITHM = HYBRID  # so that nothing in the handshake rests on one kind of algorithms alone


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files, as a configuration names them."""

    root: str
    server: dict[str, str]
    client: dict[str, str]

    @classmethod
    def create(cls, directory: Path, now: datetime) -> "Certificates":
        """Make an authority, and a certificate for each sidecar."""
        authority = create_authority(directory, ALGORITHM, now=now, trust_domain=TRUST_DOMAIN)
        for name, identity in (("server", SERVER), ("client", CLIENT)):
            issue(authority, name, LeafNames.parse(spiffe=(identity,)), now=now, days=1)
        return cls(
            str(authority.path), _identity(directory, "server"), _identity(directory, "client")
        )


def _identity(directory: Path, name: str) -> dict[str, str]:
    files = leaf_files(directory, name, ALGORITHM)
    return {"certificate": str(files.certificate), "key": str(files.key)}
