"""`pqproxy connect HOST:PORT --listen ADDR`: one egress, without a file."""

import argparse
from typing import TYPE_CHECKING, Any

from pqproxy.cli.credential_options import (
    add_authentication_option,
    add_credential_options,
    given_passphrase,
)
from pqproxy.cli.errors import CommandError
from pqproxy.cli.run import add_landlock_option

if TYPE_CHECKING:
    from pqproxy.config.values import Settings

_OPTIONS = {
    "connect": "HOST:PORT",
    "listen": "--listen",
    "expect": "--expect",
    "trust": "--trust",
    "authentication": "--authentication",
    "tunnel": "--tunnel",
}


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "connect",
        help="plaintext in, post-quantum TLS to another machine",
        description="Listen for plaintext on this machine and carry it to HOST:PORT over "
        "post-quantum TLS 1.3.",
    )
    parser.add_argument("address", metavar="HOST:PORT", help="pqproxy, or any TLS 1.3 server")
    parser.add_argument("--listen", metavar="ADDR", required=True, help="such as 127.0.0.1:9000")
    add_authentication_option(parser, "the server")
    add_credential_options(parser, "the server's certificate")
    add_landlock_option(parser)
    parser.add_argument(
        "--expect",
        metavar="ID",
        action="append",
        help="who the server must be, such as spiffe://corp/llm (default: HOST)",
    )
    parser.add_argument(
        "--tunnel",
        metavar="auto|require|never",
        help="whether all connections share one TLS connection, which takes pqproxy at the other "
        "end: where that is so, always, or never (default: auto)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make settings of the options, then hand over to the supervisor."""
    from pqproxy.cli.adhoc import supervise_adhoc

    return supervise_adhoc(lambda: _settings(arguments), arguments)


def _settings(arguments: argparse.Namespace) -> "Settings":
    from pqproxy.cli.adhoc import adhoc_settings
    from pqproxy.cli.credentials import read_credentials

    credentials = read_credentials(arguments.identity, arguments.trust, given_passphrase(arguments))
    if credentials.trust is None:
        message = "nothing says who signs the server's certificate"
        raise CommandError(message, "give --trust FILE, or an --identity bundle that holds roots")
    entry = {
        "name": "connect",
        "listen": arguments.listen,
        "connect": [arguments.address],
        "expect": arguments.expect,
        "authentication": arguments.authentication,
        "tunnel": {"mode": arguments.tunnel} if arguments.tunnel else None,
    }
    return adhoc_settings("egress", entry, credentials, _OPTIONS)
