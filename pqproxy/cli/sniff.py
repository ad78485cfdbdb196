"""`pqproxy sniff [LISTEN]`: is this client post-quantum, and what would make it so?"""

import argparse
import json
import socket
import sys
from typing import TYPE_CHECKING, Any

from pqproxy.cli.errors import FAILURE, VERDICT, CommandError

if TYPE_CHECKING:
    from pqproxy.config.values import Address
    from pqproxy.probing.sniffing import Sniffed

_DEFAULT_LISTEN = "127.0.0.1:0"


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "sniff",
        help="is this client post-quantum, and what would make it so?",
        description="Listen, take one ClientHello, refuse it politely, and say what it offers, "
        "which program it is of, and what would make it post-quantum. Point the client at the "
        "address that is printed.",
        epilog="Exit codes: 0 every caller is post-quantum, 1 failure at run time, 3 one is not.",
    )
    parser.add_argument(
        "listen",
        metavar="LISTEN",
        nargs="?",
        default=_DEFAULT_LISTEN,
        help="[host]:port or unix:/path (default: a free port of this machine's loopback)",
    )
    parser.add_argument(
        "--count",
        metavar="N",
        type=_count,
        default=1,
        help="how many callers to take (1); 0: until interrupted",
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="json: one line a caller"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Listen, and report each caller as it comes."""
    import asyncio

    from pqproxy.config.addresses import parse_listen
    from pqproxy.probing.sniffing import sniff

    try:
        address = parse_listen(arguments.listen)
    except ValueError as error:
        raise CommandError(f"LISTEN: {error}") from None
    verdicts: list[bool] = []

    def report(sniffed: "Sniffed") -> None:
        if sniffed.said_something:
            verdicts.append(sniffed.greeting.is_post_quantum)
            _tell(sniffed, arguments.output)
        else:
            print(f"{sniffed.peer} came and said nothing", file=sys.stderr, flush=True)

    with _listen(address) as listener:
        where = _bound(listener)
        print(f"listening on {where}: point the client there", file=sys.stderr, flush=True)
        try:
            asyncio.run(sniff(listener, arguments.count, report))
        except KeyboardInterrupt:
            if not verdicts:
                raise
    return 0 if all(verdicts) else VERDICT


def _tell(sniffed: "Sniffed", output: str) -> None:
    from pqproxy.cli.marked_lines import print_lines
    from pqproxy.probing.sniff_report import document, lines

    if output == "json":
        print(json.dumps(document(sniffed)), flush=True)
    else:
        print_lines(lines(sniffed))


def _listen(address: "Address") -> socket.socket:
    from pqproxy.config.values import UnixAddress
    from pqproxy.probing.wire import words

    try:
        if isinstance(address, UnixAddress):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(address.path)
            listener.listen()
        else:
            listener = _listen_tcp(address.host, address.port)
    except OSError as error:
        hint = "choose another port, or none: a free one is taken then"
        raise CommandError(f"cannot listen on {address}: {words(error)}", hint, FAILURE) from None
    listener.setblocking(False)
    return listener


def _listen_tcp(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _bound(listener: socket.socket) -> str:
    name = listener.getsockname()
    if not isinstance(name, tuple):
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is not a number of callers")
    return int(text)
