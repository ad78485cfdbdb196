"""`pqproxy certs renew`: new certificates for old ones, once or for as long as it runs."""

import argparse
from typing import Any

from pqproxy.cli.certs.options import (
    add_algorithm,
    add_days,
    add_key_passphrase,
    add_verb,
    command_error,
    current_time,
    given_key_passphrase,
    given_passphrase,
    print_rows,
)
from pqproxy.cli.errors import print_error
from pqproxy.cli.passphrase import add_passphrase_option
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.leaves import find_leaves, leaf_names
from pqproxy.identity.renewing import RenewalOptions
from pqproxy.identity.renewing import renew as renew_leaves
from pqproxy.identity.revoking import is_revoked


def add_verbs(verbs: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        renew,
        "replace certificates by new ones with the same names",
        "Replace the certificates of a name, and their keys, by new ones: all at one moment. The "
        "ones before are kept beside them until the next time. A running pqproxy takes up the "
        "new ones at once.",
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="default: every leaf of --dir that is not revoked"
    )
    parser.add_argument("--keep-key", action="store_true", help="certify the key that is there")
    add_algorithm(parser, "every one of the name")
    add_days(parser, None)
    add_passphrase_option(parser, "the authority's key")
    add_key_passphrase(parser)
    parser.add_argument(
        "--watch",
        action="store_true",
        help="stay, and renew at two thirds of each lifetime; revocation lists too",
    )


def renew(arguments: argparse.Namespace) -> int:
    """Renew now, or watch."""
    options = RenewalOptions(
        arguments.days,
        arguments.keep_key,
        given_passphrase(arguments),
        given_key_passphrase(arguments),
    )
    if arguments.watch:
        from pqproxy.cli.certs.watching import watch

        return watch(arguments, options)
    names = arguments.names or leaf_names(arguments.dir)
    if not names:
        raise IdentityError(
            f"there are no certificates in {arguments.dir}",
            f"issue one: pqproxy certs issue NAME --dir {arguments.dir}",
        )
    failed = []
    for name in names:
        try:
            _renew(arguments, name, options)
        except IdentityError as error:  # the others are renewed nevertheless
            failed.append(command_error(error))
    for one in failed[:-1]:
        print_error(one.message, one.hint)
    if failed:
        raise failed[-1]
    return 0


def _renew(arguments: argparse.Namespace, name: str, options: RenewalOptions) -> None:
    leaves = find_leaves(arguments.dir, name, arguments.algorithm)
    ours = [leaf for leaf in leaves if arguments.names or leaf.files.key.exists()]
    if not ours:
        print(f"{name:<12} left to the machine that has its key")
        return
    if not arguments.names:  # to renew takes the revocation back, so somebody must say whose
        valid = [leaf for leaf in ours if not is_revoked(arguments.dir, leaf.certificate)]
        if valid != ours:
            print(f"{name:<12} revoked, and left as it is: renew {name} by name to have it back")
        ours = valid
    if not ours:
        return
    made = renew_leaves(arguments.dir, ours, now=current_time(), options=options)
    print_rows(
        (name, f"{leaf.files.certificate}  (valid to {new.not_valid_after_utc:%Y-%m-%d})")
        for leaf, new in zip(ours, made, strict=True)
    )
