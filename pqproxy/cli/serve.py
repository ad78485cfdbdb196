"""`pqproxy serve [LISTEN] --to ADDR`: one ingress, without a file, and if need be without
certificates: then an authority of its own is made, once, under the state directory.
"""

import argparse
import os
import shlex
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pqproxy.cli.credential_options import (
    add_authentication_option,
    add_credential_options,
    given_passphrase,
)
from pqproxy.cli.errors import CommandError
from pqproxy.cli.machine import require_linux
from pqproxy.cli.run import add_landlock_option

if TYPE_CHECKING:
    from pqproxy.cli.state import State
    from pqproxy.config.values import Settings

DEFAULT_LISTEN = ":8443"
_LOCAL_END = "127.0.0.1:9000"  # suggested to the other machine
_OPTIONS = {
    "listen": "LISTEN",
    "forward": "--to",
    "allow": "--allow",
    "client_auth": "--client-auth",
    "policy": "--policy",
    "authentication": "--authentication",
    "identities": "--identity",
    "trust": "--trust",
}


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "serve",
        help="post-quantum TLS in front of a server on this machine",
        description="Listen for post-quantum TLS 1.3 and forward plaintext to a server on this "
        "machine. Without --identity, certificates for both ends are made under the state "
        "directory and the command for the other machine is printed.",
    )
    parser.add_argument(
        "listen",
        metavar="LISTEN",
        nargs="?",
        default=DEFAULT_LISTEN,
        help=f"[host]:port or unix:/path (default: {DEFAULT_LISTEN})",
    )
    parser.add_argument("--to", metavar="ADDR", required=True, help="such as 127.0.0.1:8000")
    parser.add_argument(
        "--allow",
        metavar="ID",
        action="append",
        help="who may connect, such as spiffe://corp/apps/*; any-trusted: every verified client",
    )
    parser.add_argument(
        "--client-auth",
        metavar="require|request|none",
        default="require",
        help="whether a client must show a certificate (default: require)",
    )
    parser.add_argument(
        "--policy",
        metavar="require|prefer|observe",
        help="whether clients without a post-quantum group are served (default: what "
        "PQC_KEY_MANAGEMENT or FALLBACK_CRYPTO in the environment say, else require)",
    )
    add_authentication_option(parser, "clients")
    add_credential_options(parser, "client certificates")
    add_landlock_option(parser)
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        help="where certificates are made and kept (default: pqproxy in XDG_STATE_HOME)",
    )
    parser.add_argument("--preset", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make settings of the options, then hand over to the supervisor."""
    from pqproxy.cli.adhoc import supervise_adhoc

    require_linux()  # before certificates are made for nothing
    if arguments.preset:
        raise CommandError("--preset is not yet available")
    if arguments.identity:
        return supervise_adhoc(lambda: _settings(arguments, None), arguments)
    from pqproxy.cli.state import open_state

    state = open_state(arguments.state_dir or default_state_directory())
    print(invitation(_settings(arguments, state), state), flush=True)
    return supervise_adhoc(lambda: _settings(arguments, state), arguments)


def default_state_directory() -> Path:
    """Return where the XDG base directories put what a program keeps between runs."""
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    # Relative paths there are invalid and to be ignored, says the specification.
    base = home if home.is_absolute() else Path(os.path.expanduser("~"), ".local", "state")
    return base / "pqproxy"


def invitation(settings: "Settings", state: "State") -> str:
    """Say what the other machine needs: one file and one command."""
    listen = settings.ingress[0].listen
    here = socket.gethostname()
    address = f"{here}{listen}" if str(listen).startswith(":") else str(listen)
    command = [
        *("pqproxy", "connect", address, "--listen", _LOCAL_END),
        *("--identity", state.client.name, "--expect", state.server_id),
        *(("--authentication", "hybrid") if state.is_hybrid else ()),
    ]
    return (
        f"certificates: {state.directory}{' (made just now)' if state.is_new else ''}\n"
        f"copy this file to the other machine (it holds a private key): {state.client}\n"
        f"and run there: {shlex.join(command)}"
    )


def _settings(arguments: argparse.Namespace, state: "State | None") -> "Settings":
    from pqproxy.cli.adhoc import adhoc_settings
    from pqproxy.cli.credentials import read_credentials

    identities = state.server if state else arguments.identity
    # The client bundle holds the roots of the directory: the ones we signed the client with.
    trust = arguments.trust or (state.client if state else None)
    entry = {
        "name": "serve",
        "listen": arguments.listen,
        "forward": arguments.to,
        "client_auth": arguments.client_auth,
        "policy": arguments.policy,
        "authentication": arguments.authentication,
        "allow": arguments.allow,
    }
    # Our own authority signed one client: that one is meant where nothing else is said.
    if state and not arguments.trust and arguments.client_auth == "require":
        entry["allow"] = arguments.allow or [state.client_id]
        if state.is_hybrid:
            entry["authentication"] = arguments.authentication or "hybrid"
    credentials = read_credentials(identities, trust, given_passphrase(arguments))
    return adhoc_settings("ingress", entry, credentials, _OPTIONS)
