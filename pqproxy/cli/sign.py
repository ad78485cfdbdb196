"""`pqproxy sign FILE`: a detached hybrid signature, FILE.pqsig."""

import argparse
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pqproxy.cli.errors import FAILURE, CommandError
from pqproxy.cli.signature_files import (
    add_file_arguments,
    content_of,
    failures_told,
    is_standard_input,
    print_whatever,
    signature_beside,
)

if TYPE_CHECKING:
    from pqproxy.identity.own import Identity
    from pqproxy.signing import Statement


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    from pqproxy.cli.passphrase import add_passphrase_option

    parser = subparsers.add_parser(
        "sign",
        help="sign a file: FILE.pqsig",
        description="Sign a file of any size with the key of an identity, the same that serves for "
        "connections. The signature says who signed, with the certificates to prove it; the file "
        "stays as it is.",
    )
    add_file_arguments(
        parser, "where it goes (default: FILE.pqsig; of standard input: standard output)"
    )
    parser.add_argument(
        "--identity",
        metavar="FILE",
        type=Path,
        required=True,
        help="PEM with our key and certificate, or a directory with tls.crt and tls.key",
    )
    parser.add_argument(
        "--key", metavar="FILE", type=Path, help="the key, where --identity does not hold it"
    )
    add_passphrase_option(parser, "the key")
    parser.add_argument(
        "--authentication",
        choices=("hybrid", "post-quantum", "any"),
        default="hybrid",
        help="which keys may sign: composite ones, of which both halves sign; those or ML-DSA "
        "alone; those or ECDSA alone (%(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite a signature that is there")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Sign, and say what was signed as whom."""
    from pqproxy.signing import Authentication, SigningError, sign
    from pqproxy.signing.envelope import Envelope

    content, target = content_of(arguments.file), _target(arguments)
    identity = _identity(arguments)
    try:
        with failures_told(arguments.file):
            made = sign(
                content,
                identity.private_key,
                identity.chain,
                authentication=Authentication(arguments.authentication),
            )
    except SigningError as error:
        raise CommandError(str(error), error.fix or None) from None
    if target is None:
        sys.stdout.buffer.write(made)
        return 0
    _write(target, made, arguments.force)
    statement = Envelope.read(made).statement
    if arguments.output == "json":
        print(json.dumps(_document(arguments.file, target, identity, statement), indent=2))
    else:
        print_whatever(f"signature  {target}")
        print_whatever(f"signer     {identity.names.name}")
        print(f"algorithm  {statement.algorithm}")
        print(f"content    {statement.size} bytes, SHA-512 {statement.content.hex()}")
    return 0


def _target(arguments: argparse.Namespace) -> Path | None:
    """Where the signature goes, None for standard output; asked before 50 GB are read."""
    target: Path | None = arguments.signature
    if target is None:
        if not is_standard_input(arguments.file):
            target = signature_beside(arguments.file)
        elif arguments.output == "json":
            raise CommandError(
                "-o json: standard output is where the signature goes", "--signature"
            )
        else:
            return None
    if target.exists() and not arguments.force:
        raise CommandError(f"{target} exists", "--force overwrites it", FAILURE)
    return target


def _identity(arguments: argparse.Namespace) -> "Identity":
    from pqproxy.cli.credential_options import given_passphrase
    from pqproxy.cli.credentials import OWN, read_credentials
    from pqproxy.config.files import UnreadableFile, read_file
    from pqproxy.config.values import IdentityFiles
    from pqproxy.identity.errors import IdentityError
    from pqproxy.identity.own import Identity

    passphrase, path, key = given_passphrase(arguments), arguments.identity, arguments.key
    try:
        if key is not None:
            source = f"{path} with {key}"
            files = IdentityFiles(OWN, read_file(path), read_file(key), source, passphrase)
        else:
            # Of several the first: `certs export` puts the hybrid one there.
            first, *_ = read_credentials([path], None, passphrase).identities
            files = replace(first, name=OWN)
        return Identity.load(files, datetime.fromtimestamp(time.time(), UTC))
    except UnreadableFile as error:
        raise CommandError(f"--identity: {error}") from None
    except IdentityError as error:
        message = str(error).removeprefix(f"identity {OWN}: ")
        raise CommandError(f"--identity: {message}", error.fix or None) from None


def _write(target: Path, content: bytes, force: bool) -> None:
    """Give the whole file its name in one step: nobody ever sees half a signature."""
    from pqproxy.identity.errors import IdentityError
    from pqproxy.identity.files import CERTIFICATE_MODE, replace, write_new

    try:
        (replace if force else write_new)(target, content, CERTIFICATE_MODE)
    except IdentityError as error:
        raise CommandError(str(error), error.fix or None, FAILURE) from None


def _document(
    file: Path, target: Path, identity: "Identity", statement: "Statement"
) -> dict[str, Any]:
    """What was made, for programs. Keys are added, never renamed."""
    return {
        "file": str(file),
        "signature": str(target),
        "signer": identity.names.name,
        "algorithm": statement.algorithm,
        "size": statement.size,
        "sha512": statement.content.hex(),
        "time": statement.time.isoformat(),
    }
