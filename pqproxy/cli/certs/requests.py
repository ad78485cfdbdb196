"""`pqproxy certs csr|sign`: certificates for keys that never leave the machine they are used on."""

import argparse
from pathlib import Path
from typing import Any

from pqproxy.cli.certs.options import (
    add_algorithm,
    add_days,
    add_names,
    add_output,
    add_verb,
    current_time,
    given_names,
    given_passphrase,
    print_listing,
    print_rows,
)
from pqproxy.cli.passphrase import add_passphrase_option
from pqproxy.identity.authority import LEAF_DAYS
from pqproxy.identity.files import read
from pqproxy.identity.requests import Request, read_requests
from pqproxy.identity.signing import KeyOptions, SigningOptions, request_leaves, sign_requests


def add_verbs(verbs: Any) -> None:
    """Describe the verbs."""
    parser = add_verb(
        verbs,
        csr,
        "make a key, and a request to certify it elsewhere",
        "Make a key, which stays here, and a request for a certificate, which is signed where the "
        "authority is: pqproxy certs sign FILE. The certificate is then put beside the key.",
    )
    parser.add_argument("name", metavar="NAME", help="names the files; peers check the names below")
    parser.add_argument("--out", metavar="FILE", type=Path, help="of the request (NAME.csr)")
    add_names(parser)
    add_algorithm(parser, "a hybrid key and an ECDSA key, in one request file")
    parser.add_argument(
        "--keep-key",
        action="store_true",
        help="for the keys that are there, and the names of their certificates: a renewal",
    )
    add_passphrase_option(parser, "the key, which is encrypted with it")
    parser = add_verb(
        verbs,
        sign,
        "sign a request",
        "Certify the key and the names of a request, once its signature proves that its maker has "
        "the key. Nothing else that it asks for is taken. pqproxy certs show FILE shows it before.",
    )
    parser.add_argument("file", metavar="REQUEST", type=Path)
    parser.add_argument("--name", metavar="NAME", help="names the files (that of the request file)")
    parser.add_argument("--renew", action="store_true", help="replace what was signed before")
    add_algorithm(parser, "the authority of the key's kind")
    add_days(parser, LEAF_DAYS)
    add_passphrase_option(parser, "the authority's key")
    add_output(parser)


def csr(arguments: argparse.Namespace) -> int:
    """Make keys and their request."""
    asked = arguments.spiffe or arguments.dns or arguments.ip
    names = given_names(arguments) if asked or not arguments.keep_key else None
    target = arguments.out or Path(f"{arguments.name}.csr")
    options = KeyOptions(arguments.algorithm, arguments.keep_key, given_passphrase(arguments))
    keys = request_leaves(arguments.dir, arguments.name, names, target, options)
    requests = read_requests(read(target), str(target))
    rows = [
        *(("key", f"{path}  (stays here)") for path in keys),
        ("request", str(target)),
        ("names", ", ".join(requests[0].names.every)),
        ("next", f"pqproxy certs sign {target.name}, where the authority is"),
        ("then", f"put the certificates into {keys[0].parent}, beside their keys"),
    ]
    print_rows(rows)
    return 0


def sign(arguments: argparse.Namespace) -> int:
    """Sign requests."""
    name = arguments.name or arguments.file.name.partition(".")[0]
    requests = read_requests(read(arguments.file), str(arguments.file))
    if arguments.output == "text":
        for number, request in enumerate(requests):
            print_rows(_asked(request), first=number == 0)
        print(flush=True)  # it stands there even if what follows fails
    options = SigningOptions(
        arguments.days, arguments.algorithm, arguments.renew, given_passphrase(arguments)
    )
    signed = sign_requests(arguments.dir, name, requests, now=current_time(), options=options)
    if arguments.output == "json":
        print_listing(leaf.path for leaf in signed)
        return 0
    for number, leaf in enumerate(signed):
        rows = (
            ("certificate", f"{leaf.path}  (to be put beside its key)"),
            ("valid to", f"{leaf.certificate.not_valid_after_utc:%Y-%m-%d}"),
            ("trusted by", str(leaf.root)),
        )
        print_rows(rows, first=number == 0)
    return 0


def _asked(request: Request) -> list[tuple[str, str]]:
    rows = [
        ("certifies", f"{request.algorithm} key, whose maker proved to have it"),
        ("names", ", ".join(request.names.every)),
    ]
    if request.ignored:
        rows.append(("not taken", ", ".join(request.ignored)))
    return rows
