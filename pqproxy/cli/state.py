"""What `serve` keeps between runs: authorities and the certificates of both ends.

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
    roots,
)
from pqproxy.identity.certificates import DEFAULT_ALGORITHMS, HYBRID, STANDARD, LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.exporting import export
from pqproxy.identity.leaves import leaf_files

TRUST_DOMAIN = "pqproxy.internal"


@dataclass(frozen=True, slots=True)
class State:
    """Where the certificates are, and the names in them."""

    directory: Path
    server: tuple[Path, ...]  # our certificates, hybrid first, their keys beside them
    client: Path  # the bundle for the other machine
    is_new: bool
    is_hybrid: bool  # both ends can demand hybrid signatures of each other
    server_id: str = f"spiffe://{TRUST_DOMAIN}/server"
    client_id: str = f"spiffe://{TRUST_DOMAIN}/client"


def open_state(directory: Path) -> State:
    """Return the state in a directory; what is missing is made. Raises CommandError.

    One from before there were hybrid certificates stays as it is, with the bundles of its clients.
    """
    directory = directory.absolute()
    there = {path.parent.name for path in roots(directory)}
    wanted = (STANDARD,) if there == {STANDARD} else DEFAULT_ALGORITHMS
    try:
        now = datetime.fromtimestamp(time.time(), UTC)
        # Hybrid first: alone, after a start cut short, the other would look like an old one.
        for algorithm in wanted:
            if algorithm not in there:
                create_authority(directory, algorithm, now=now, trust_domain=TRUST_DOMAIN)
        authorities = [open_authority(directory, algorithm) for algorithm in wanted]
        return _complete(authorities, not there, now)
    except IdentityError as error:
        raise CommandError(str(error), error.fix or None) from None


def _complete(authorities: list[Authority], is_new: bool, now: datetime) -> State:
    """Issue what is missing: the server has a certificate for every kind of client.

    The client needs the first kind alone, and believes no other: whoever breaks ECDSA is not the
    server for it.
    """
    first, directory = authorities[0], authorities[0].directory
    names = [leaf_files(directory, "server", one.algorithm).certificate for one in authorities]
    is_hybrid = first.algorithm == HYBRID
    state = State(directory, tuple(names), directory / "client.pem", is_new, is_hybrid)
    for authority, path in zip(authorities, names, strict=True):
        if not path.exists():
            issue(authority, "server", _server_names(state.server_id), now=now)
    if not leaf_files(directory, "client", first.algorithm).certificate.exists():
        issue(first, "client", LeafNames.parse(spiffe=(state.client_id,)), now=now)
    if not state.client.exists():
        export(directory, "client", state.client, first.algorithm)
    return state


def _server_names(spiffe_id: str) -> LeafNames:
    """Host names too: clients other than pqproxy check nothing else."""
    addresses = ("127.0.0.1", "::1")
    try:
        return LeafNames.parse((spiffe_id,), (socket.gethostname(), "localhost"), addresses)
    except IdentityError:  # the machine has a name that DNS does not allow
        return LeafNames.parse((spiffe_id,), ("localhost",), addresses)
