"""`pqproxy certs revoke|crl`: certificates that shall not be believed any more."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509

from pqproxy.cli.certs.options import (
    add_algorithm,
    add_days,
    add_verb,
    current_time,
    given_passphrase,
    print_rows,
)
from pqproxy.cli.errors import CommandError
from pqproxy.cli.passphrase import add_passphrase_option
from pqproxy.identity.authority import Authority, open_authorities, open_authority, open_issuer
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import read
from pqproxy.identity.leaves import earlier_leaves, find_leaves, leaf_names
from pqproxy.identity.pem import is_self_issued, read_certificates
from pqproxy.identity.revoking import LIST_DAYS, REASONS, RevocationList
from pqproxy.identity.revoking import revoke as write_list

_OF_LIST = "the list is good, then crl makes the next"


def add_verbs(verbs: Any) -> None:
    """Describe the verbs."""
    parser = add_verb(
        verbs,
        revoke,
        "put certificates on the revocation list of their authority",
        "Put certificates on the list of the authority that signed them, DIR/ca/ALGORITHM/ca.crl: "
        "of a name all there are, those before a renewal included.",
    )
    parser.add_argument("target", metavar="NAME|FILE", nargs="?", help="a leaf, or its certificate")
    parser.add_argument(
        "--serial", metavar="HEX", help="a certificate that is not at hand; with --algorithm"
    )
    parser.add_argument("--reason", choices=tuple(REASONS), default="unspecified")
    add_algorithm(parser, "every one of the name")
    add_days(parser, LIST_DAYS, _OF_LIST)
    add_passphrase_option(parser, "the authority's key")
    parser = add_verb(
        verbs,
        crl,
        "make revocation lists anew before they run out",
        "Make the revocation list of each authority anew: the same entries under the next number, "
        "or an empty list where there is none. certs renew --watch does so by itself.",
    )
    add_algorithm(parser, "of every authority")
    add_days(parser, LIST_DAYS, _OF_LIST)
    add_passphrase_option(parser, "the authority's key")


def revoke(arguments: argparse.Namespace) -> int:
    """Revoke certificates."""
    if (arguments.target is None) == (arguments.serial is None):
        raise CommandError("revoke takes a NAME or FILE, or else --serial", "certs show lists them")
    serials: dict[Path, list[int]] = {}
    authorities: dict[Path, Authority] = {}
    for authority, serial in _targets(arguments):
        authorities[authority.path] = authority
        serials.setdefault(authority.path, []).append(serial)
    for number, (path, revoked) in enumerate(serials.items()):
        made = write_list(
            authorities[path], revoked, arguments.reason, now=current_time(), days=arguments.days
        )
        _print(made, revoked, first=number == 0)
    return 0


def crl(arguments: argparse.Namespace) -> int:
    """Make lists anew."""
    authorities = open_authorities(arguments.dir, arguments.algorithm, given_passphrase(arguments))
    for number, authority in enumerate(authorities):
        _print(write_list(authority, now=current_time(), days=arguments.days), [], number == 0)
    return 0


def _targets(arguments: argparse.Namespace) -> Iterator[tuple[Authority, int]]:
    """Yield what is to be revoked: whose, and its serial number."""
    passphrase = given_passphrase(arguments)
    if arguments.serial is not None:
        if arguments.algorithm is None:
            raise CommandError("--serial needs the --algorithm of the authority that signed it")
        serial = _serial(arguments.serial)
        yield open_authority(arguments.dir, arguments.algorithm, passphrase), serial
        return
    for path, certificate in _certificates(arguments):
        issuer = open_issuer(arguments.dir, certificate, path, passphrase)
        yield issuer, certificate.serial_number


def _certificates(arguments: argparse.Namespace) -> Iterator[tuple[Path, x509.Certificate]]:
    directory, target, algorithm = arguments.dir, arguments.target, arguments.algorithm
    path = Path(target)
    if target in leaf_names(directory) or not path.exists():
        for leaf in (
            *find_leaves(directory, target, algorithm),
            *earlier_leaves(directory, target),
        ):
            if algorithm in (None, leaf.algorithm):
                yield leaf.files.certificate, leaf.certificate
        return
    certificate = read_certificates(read(path), target)[0]
    if is_self_issued(certificate):
        raise IdentityError(
            f"{path} is a root, which no list can revoke",
            "take it out of what peers believe: pqproxy certs bundle FILE --retire",
        )
    yield path, certificate


def _serial(text: str) -> int:
    try:
        number = int(text.replace(":", ""), 16)
    except ValueError:
        number = 0
    if number <= 0:
        raise CommandError(f"--serial {text} is no serial number", "certs show prints them, in hex")
    return number


def _print(made: RevocationList, revoked: list[int], first: bool) -> None:
    rows = [
        ("revoked" if serial in made.added else "was revoked", f"serial {serial:x}")
        for serial in dict.fromkeys(revoked)
    ]
    entries = f"{made.total} entr{'y' if made.total == 1 else 'ies'}"
    rows += [
        ("list", f"{made.path}  (number {made.number}, {entries})"),
        ("good until", f"{made.next_update:%Y-%m-%d}"),
    ]
    print_rows(rows, first=first)
