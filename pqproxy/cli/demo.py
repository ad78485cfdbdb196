"""`pqproxy demo`: a completion streams through a pair of sidecars, and what protected it."""

import argparse
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from pqproxy.cli.errors import FAILURE, CommandError
from pqproxy.cli.machine import require_linux


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "demo",
        help="stream a completion through a pair of sidecars on this machine",
        description="Start a plaintext model server, a sidecar in front of it and one beside a "
        "client; stream a completion through both and say what protected it. Nothing is left "
        "behind.",
    )
    parser.add_argument(
        "--upstream",
        metavar="URL",
        help="use this model server instead, such as http://127.0.0.1:8000",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo. Raises CommandError off Linux."""
    require_linux()
    from pqproxy.demo.client import CompletionError
    from pqproxy.demo.processes import ChildFailed
    from pqproxy.demo.run import run_demo

    upstream = None if arguments.upstream is None else upstream_address(arguments.upstream)
    try:
        return run_demo(upstream)
    except CompletionError as error:
        raise CommandError(str(error), exit_code=FAILURE) from None
    except ChildFailed as error:
        raise CommandError(str(error), exit_code=FAILURE) from None


def upstream_address(url: str) -> str:
    """Return host:port of a plaintext model server on this machine. Raises CommandError."""
    hint = "give the address of a model server on this machine, such as http://127.0.0.1:8000"
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise CommandError(f"--upstream {url}: {error}", hint) from None
    if parts.scheme != "http" or not parts.hostname:
        raise CommandError(f"--upstream {url} is not the URL of a plaintext server", hint)
    if parts.path.rstrip("/") not in ("", "/v1"):
        raise CommandError(f"--upstream {url}: the API is looked for under /v1", hint)
    if not _is_loopback(parts.hostname):
        # What leaves the second sidecar is plaintext.
        raise CommandError(f"--upstream {url} is not on this machine", hint)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
