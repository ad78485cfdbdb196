"""`pqproxy certs init|issue|export`: authorities, leaves, and what another machine needs of one."""

import argparse
from pathlib import Path
from typing import Any

from pqproxy.cli.certs.options import (
    add_algorithm,
    add_days,
    add_key_passphrase,
    add_names,
    add_output,
    add_verb,
    current_time,
    given_key_passphrase,
    given_names,
    given_passphrase,
    print_listing,
    print_rows,
)
from pqproxy.cli.passphrase import add_passphrase_option
from pqproxy.identity.authority import (
    LEAF_DAYS,
    ROOT_DAYS,
    LeafOptions,
    create_authority,
    issue_from,
    only_domain,
    open_authorities,
    root_path,
)
from pqproxy.identity.certificates import DEFAULT_ALGORITHMS
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.exporting import export as export_leaf
from pqproxy.identity.files import already_exists
from pqproxy.identity.leaves import find_leaves


def add_verbs(verbs: Any) -> None:
    """Describe the verbs."""
    both = " and ".join(DEFAULT_ALGORITHMS)
    parser = add_verb(
        verbs,
        init,
        "make an authority",
        "Make an authority: a hybrid one for pqproxy on both sides, and beside it one that "
        "standard clients understand.",
    )
    add_algorithm(parser, both)
    add_days(parser, ROOT_DAYS)
    add_passphrase_option(parser, "the authority's key, which is encrypted with it")
    add_output(parser)
    parser.add_argument(
        "--trust-domain",
        metavar="DOMAIN",
        help="the SPIFFE trust domain it signs for, and no other: corp or spiffe://corp (that of "
        "an authority that is there)",
    )
    parser = add_verb(verbs, issue, "make a certificate and its key")
    parser.add_argument("name", metavar="NAME", help="names the files; peers check the names below")
    add_names(parser)
    add_algorithm(parser, "one from each authority")
    add_days(parser, LEAF_DAYS)
    add_passphrase_option(parser, "the authority's key")
    add_key_passphrase(parser)
    add_output(parser)
    parser = add_verb(verbs, export, "key, chain and roots in one file, to carry elsewhere")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="default: NAME.pem")
    add_algorithm(parser, "all there are; of one, peers of no other are believed")


def init(arguments: argparse.Namespace) -> int:
    """Make an authority of each algorithm, or of the one that was asked for."""
    algorithms = [arguments.algorithm] if arguments.algorithm else list(DEFAULT_ALGORITHMS)
    _check_absent(arguments.dir, algorithms)
    passphrase = given_passphrase(arguments)
    # Peers that believe both would refuse IDs of that domain from one that does not declare it.
    domain = arguments.trust_domain or only_domain(arguments.dir)
    made = [
        create_authority(
            arguments.dir,
            algorithm,
            now=current_time(),
            trust_domain=domain,
            days=arguments.days,
            passphrase=passphrase,
        )
        for algorithm in algorithms
    ]
    if arguments.output == "json":
        print_listing(root.path for root in made)
        return 0
    for root in made:
        signs_for = root.trust_domain
        rows = (
            ("authority", str(root.path)),
            ("key", f"{root.path.with_suffix('.key')}  (whoever has it can be anyone: keep it)"),
            ("signs for", f"spiffe://{signs_for}" if signs_for else "any SPIFFE trust domain"),
            ("valid to", f"{root.certificate.not_valid_after_utc:%Y-%m-%d}"),
        )
        print_rows(rows, first=root is made[0])
    return 0


def issue(arguments: argparse.Namespace) -> int:
    """Make leaves."""
    names = given_names(arguments)
    authorities = open_authorities(arguments.dir, arguments.algorithm, given_passphrase(arguments))
    options = LeafOptions(arguments.days, given_key_passphrase(arguments))
    issue_from(authorities, arguments.name, names, now=current_time(), options=options)
    made = {leaf.algorithm: leaf for leaf in find_leaves(arguments.dir, arguments.name)}
    if arguments.output == "json":
        print_listing(made[root.algorithm].files.certificate for root in authorities)
        return 0
    for root in authorities:
        leaf = made[root.algorithm]
        rows = (
            ("certificate", str(leaf.files.certificate)),
            ("key", str(leaf.files.key)),
            ("names", ", ".join(names.every)),
            ("valid to", f"{leaf.certificate.not_valid_after_utc:%Y-%m-%d}"),
            ("trusted by", str(root.path)),
        )
        print_rows(rows, first=root is authorities[0])
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write a bundle."""
    target = arguments.file or Path(f"{arguments.name}.pem")
    export_leaf(arguments.dir, arguments.name, target, arguments.algorithm)
    leaves = find_leaves(arguments.dir, arguments.name, arguments.algorithm)
    held = ", ".join(leaf.algorithm for leaf in leaves)
    print(f"bundle  {target}  (holds private keys: {held})")
    return 0


def _check_absent(directory: Path, algorithms: list[str]) -> None:
    for algorithm in algorithms:
        path = root_path(directory, algorithm)
        for there in (path.with_suffix(".key"), path):
            if not (there.exists() or there.is_symlink()):
                continue
            missing = [a for a in algorithms if not root_path(directory, a).exists()]
            if not missing:
                raise already_exists(there)
            raise IdentityError(
                f"{there} exists and is never overwritten",
                f"to add the other authority: --algorithm {missing[0]}",
            )
