"""`pqproxy probe HOST:PORT`: is this endpoint post-quantum, and how well?"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pqproxy.cli.errors import FAILURE, VERDICT, CommandError

if TYPE_CHECKING:
    from pqproxy.config.values import Address
    from pqproxy.probing.chain import Verify
    from pqproxy.probing.verdict import Verdict

_PATIENCE = 5.0
_LONGEST = 60.0


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "probe",
        help="is this endpoint post-quantum, and how well?",
        description="Send an endpoint one hello for each group, one that offers nothing "
        "post-quantum, one of TLS 1.2 and a few odd ones, some twenty connections in all, and say "
        "what it makes of them. Certificates are described, and verified only with --trust.",
        epilog="Exit codes: 0 answered, 1 nobody reached or nothing answered, 3 what --require-pq, "
        "--require-pq-only or --trust demands is not so.",
    )
    parser.add_argument("address", metavar="HOST:PORT", help="or unix:/path")
    parser.add_argument("--sni", metavar="NAME", help="the name to ask for (default: HOST)")
    parser.add_argument(
        "--trust",
        metavar="FILE",
        type=Path,
        help="roots: verify chain and name, and exit 3 where they are not right",
    )
    parser.add_argument(
        "--expect",
        metavar="ID",
        help="with --trust: who it must be, such as spiffe://corp/llm (default: the name asked "
        "for, or HOST)",
    )
    parser.add_argument(
        "--require-pq",
        action="store_true",
        help="exit 3 unless a client that offers post-quantum groups gets one",
    )
    parser.add_argument(
        "--require-pq-only",
        action="store_true",
        help="exit 3 also where a client that offers none is served",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=_PATIENCE,
        help=f"for each connection ({_PATIENCE:g}); six times that for all together",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, and say what was found."""
    import asyncio

    from pqproxy.config.addresses import parse_target
    from pqproxy.probing.examination import Endpoint, examine
    from pqproxy.probing.verdict import judge
    from pqproxy.probing.wire import Unreachable

    try:
        address = parse_target(arguments.address)
    except ValueError as error:
        raise CommandError(f"HOST:PORT: {error}") from None
    name = server_name(address, arguments.sni)
    verify = None
    if arguments.trust is not None:
        verify = _verify(
            arguments.trust, arguments.expect or name or getattr(address, "host", None)
        )
    elif arguments.expect is not None:
        raise CommandError("--expect: nothing says who signs its name", "give --trust FILE too")
    endpoint = Endpoint(address, name, arguments.timeout, _now, verify)
    try:
        findings = asyncio.run(examine(endpoint))
    except Unreachable as error:
        raise CommandError(str(error), error.hint, FAILURE) from None
    verdict = judge(findings)
    if arguments.output == "json":
        from pqproxy.probing.probe_report import document

        print(json.dumps(document(findings, verdict), indent=2))
    else:
        from pqproxy.cli.marked_lines import print_lines
        from pqproxy.probing.probe_report import lines

        asked = f", asked for {name}" if name and name != arguments.address else ""
        print(f"{findings.endpoint} at {findings.first.peer}{asked}")
        print_lines(lines(findings, verdict))
    if arguments.trust is not None and findings.untrusted != "":
        return VERDICT
    return exit_code(verdict, arguments)


def exit_code(verdict: "Verdict", arguments: argparse.Namespace) -> int:
    """Return 3 where a demand is not met, 1 where nothing was answered."""
    from pqproxy.probing.verdict import PostQuantum

    if arguments.require_pq_only:
        return 0 if verdict.is_post_quantum_only else VERDICT
    if arguments.require_pq:
        return 0 if verdict.post_quantum is PostQuantum.NEGOTIATED else VERDICT
    return FAILURE if verdict.post_quantum is PostQuantum.UNKNOWN else 0


def server_name(address: "Address", given: str | None) -> str | None:
    """The name to ask for: what was given, else the host unless that is an address.

    Raises CommandError.
    """
    from pqproxy.config.addresses import ip_literal
    from pqproxy.config.values import TcpAddress
    from pqproxy.identity.names import dns_name

    if given is None and (not isinstance(address, TcpAddress) or ip_literal(address.host)):
        return None
    name = given if given is not None else getattr(address, "host", "")
    try:
        return dns_name(name)
    except ValueError as error:
        hint = "a name goes into the hello, never an address (RFC 6066 §3)"
        raise CommandError(f"--sni: {error}", hint) from None


def _verify(path: Path, expected: str | None) -> "Verify":
    from pqproxy.cli.credentials import read_credentials
    from pqproxy.identity.errors import IdentityError
    from pqproxy.identity.trust import Trust
    from pqproxy.probing.chain import verify_with

    if not expected:
        hint = "give --sni NAME or --expect ID"
        raise CommandError("--trust: nothing says which name to expect", hint)
    files = read_credentials([], path).trust
    if files is None:
        raise CommandError(f"--trust: {path} holds no roots")
    try:
        return verify_with(Trust.load(files), expected, _now)
    except IdentityError as error:
        raise CommandError(f"--trust: {error}", error.fix or None) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not a time of up to {_LONGEST:g} seconds")
    return seconds


def _now() -> Any:
    import time
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time.time(), UTC)
