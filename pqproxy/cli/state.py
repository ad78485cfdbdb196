"""What `serve` keeps between runs: an authority and the certificates of both ends.

Made once and never overwritten, so that a client bundle copied to another machine stays good.
"""

import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pqproxy.cli.errors import CommandError
from pqproxy.identity.authority import (
    Authority,
    create_authority,
    issue,
    open_authority,
    root_path,
)
from pqproxy.identity.certificates import STANDARD, LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.exporting import export
from pqproxy.identity.leaves import leaf_files

TRUST_DOMAIN = "pqproxy.internal"


@dataclass(frozen=True, slots=True)
class State:
    """Where the certificates are, and the names in them."""

    directory: Path
    server: Path  # our certificate, its key beside it
    client: Path  # the bundle for the other machine
    is_new: bool
    server_id: str = f"spiffe://{TRUST_DOMAIN}/server"
    client_id: str = f"spiffe://{TRUST_DOMAIN}/client"


def open_state(directory: Path) -> State:
    """Return the state in a directory; what is missing is made. Raises CommandError."""
    directory = directory.absolute()
    is_new = not root_path(directory, STANDARD).exists()
    try:
        now = datetime.fromtimestamp(time.time(), UTC)
        if is_new:
            authority = create_authority(directory, STANDARD, now=now, trust_domain=TRUST_DOMAIN)
        else:
            authority = open_authority(directory, STANDARD)
        return _complete(authority, is_new, now)
    except IdentityError as error:
        raise CommandError(str(error), error.fix or None) from None


def _complete(authority: Authority, is_new: bool, now: datetime) -> State:
    directory = authority.directory
    server = leaf_files(directory, "server", authority.algorithm).certificate
    state = State(directory, server, directory / "client.pem", is_new)
    if not server.exists():
        issue(authority, "server", _server_names(state.server_id), now=now)
    if not leaf_files(directory, "client", authority.algorithm).certificate.exists():
        issue(authority, "client", LeafNames.parse(spiffe=(state.client_id,)), now=now)
    if not state.client.exists():
        export(directory, "client", state.client, authority.algorithm)
    return state


def _server_names(spiffe_id: str) -> LeafNames:
    """Host names too: clients other than pqproxy check nothing else."""
    addresses = ("127.0.0.1", "::1")
    try:
        return LeafNames.parse((spiffe_id,), (socket.gethostname(), "localhost"), addresses)
    except IdentityError:  # the machine has a name that DNS does not allow
        return LeafNames.parse((spiffe_id,), ("localhost",), addresses)
