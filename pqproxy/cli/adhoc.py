"""Settings without a file: one listener from the command line, under the same rules as a file.

The options become the data that a file would hold and pass the same schema and checks; a problem
is then said of the option instead of a line.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from pqproxy.cli.errors import CommandError
from pqproxy.cli.loading import certificate_problems, demand_problems
from pqproxy.config.build import build_settings
from pqproxy.config.checks import check
from pqproxy.config.document import Document
from pqproxy.config.environment import read_environment
from pqproxy.config.files import UnreadableFile, read_file
from pqproxy.config.layouts import Pair, key_beside, read_pair, read_roots
from pqproxy.config.validation import validate
from pqproxy.config.values import IdentityFiles, PolicyOrigin, Settings, TrustFiles
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import unlock
from pqproxy.identity.pem import encode, holds_private_key, read_certificates, without_roots

# The names of the one identity and the one trust set.
OWN, PEERS = "own", "peers"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are and whom we believe."""

    identity: IdentityFiles | None
    trust: TrustFiles | None
    files: tuple[str, ...] = ()  # that they were read from


def read_credentials(
    identity: Path | None, trust: Path | None, passphrase: bytes | None = None
) -> Credentials:
    """Read `--identity` (key and chain, perhaps roots, in one PEM or directory) and `--trust`.

    A bundle's own roots are believed where `--trust` says nothing. The passphrase is that of the
    identity's key, which is returned without it. Raises CommandError.
    """
    own, roots = _read_identity(identity, passphrase) if identity else (None, ())
    files = [identity, key_beside(identity) or identity] if identity else []
    files += [trust] if trust else []
    named = tuple(str(file.absolute()) for file in files)
    if trust:
        return Credentials(own, TrustFiles(PEERS, _read_trust(trust), str(trust)), named)
    return Credentials(own, TrustFiles(PEERS, roots, str(identity)) if roots else None, named)


def adhoc_settings(
    role: str, entry: Mapping[str, Any], credentials: Credentials, options: Mapping[str, str]
) -> Settings:
    """Check one listener and make settings of it. `options` says which option gave which key."""
    own, peers = credentials.identity, credentials.trust
    given = {key: value for key, value in entry.items() if value is not None}
    given["identities"] = [OWN] if own else []
    if peers:
        given["trust"] = PEERS
    # Only the names count here: the content of the files goes into the settings below.
    data = {
        "version": 1,
        "identities": {OWN: {"certificate": own.source, "key": own.source}} if own else {},
        "trust": {PEERS: {"roots": [peers.source]}} if peers else {},
        role: [given],
    }
    policies, wrong = read_environment(os.environ)
    if wrong:
        raise CommandError(str(wrong[0]))
    policies = replace(policies, written=PolicyOrigin.OPTION)
    document = Document(data)
    file, problems = validate(document)
    for problem in problems + check(file, document, policies):
        key = str(problem.path[2])
        raise CommandError(f"{options.get(key, key)}: {problem.message}", _hint(problem.message))
    identities, trust = [own] if own else [], [peers] if peers else []
    now = datetime.fromtimestamp(time.time(), UTC)
    for (section, _), message in certificate_problems(identities, trust, now):
        raise CommandError(f"--{'identity' if section == 'identities' else 'trust'}: {message}")
    for _, message in demand_problems(file, identities, trust, now):
        raise CommandError(f"--authentication: {message}")
    settings = build_settings(file, Path.cwd(), identities, trust, policies)
    return replace(settings, files=credentials.files)


def supervise_adhoc(make: Callable[[], Settings], arguments: argparse.Namespace) -> int:
    """Run what `make` makes of the options; a reload makes it anew, from the same files."""
    from pqproxy.cli.run import apply_landlock_option, supervise
    from pqproxy.supervisor.errors import ReloadFailure
    from pqproxy.supervisor.reading import Reading

    def again() -> Settings:
        try:
            return apply_landlock_option(make(), arguments)
        except CommandError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise ReloadFailure(f"{error.message}{hint}") from None

    first = Reading(apply_landlock_option(make(), arguments), again)
    return supervise(first, lambda in_force: Reading(again(), again))


def _hint(message: str) -> str | None:
    # On purpose there are no options for these: who needs one writes it down, in a file.
    return "unsafe_… is said in a configuration file only" if "unsafe_" in message else None


def _read_identity(path: Path, passphrase: bytes | None) -> tuple[IdentityFiles, tuple[bytes, ...]]:
    pair = _read_pair(path)
    certificates = _certificates("--identity", pair.certificate, path)
    chain = encode(*without_roots(certificates))
    files = IdentityFiles(OWN, chain, pair.key, f"{path}{pair.source}", passphrase)
    try:
        files = unlock(files)
    except IdentityError as error:
        raise CommandError(f"--identity: {str(error).removeprefix(f'identity {OWN}: ')}") from None
    return files, (*_roots(certificates), *_roots_beside(path))


def _read_pair(path: Path) -> Pair:
    try:
        # A key beside it is meant where the certificate comes without one.
        if path.is_file() and not holds_private_key(read_file(path)) and (key := key_beside(path)):
            return Pair(read_file(path), read_file(key), f" with {key}")
        return read_pair(path)
    except UnreadableFile as error:
        raise CommandError(f"--identity: {error}") from None


def _roots_beside(path: Path) -> tuple[bytes, ...]:
    """The roots that lie in the directory of an identity: some have none, or an empty file."""
    with suppress(UnreadableFile):
        return read_roots(path) if path.is_dir() else ()
    return ()


def _read_trust(path: Path) -> tuple[bytes, ...]:
    try:
        parts = read_roots(path)
    except UnreadableFile as error:
        raise CommandError(f"--trust: {error}") from None
    if len(parts) == 1 and holds_private_key(parts[0]):
        return _roots(_certificates("--trust", parts[0], path))
    return parts


def _certificates(option: str, pem: bytes, path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return read_certificates(pem, str(path))
    except IdentityError as error:
        raise CommandError(f"{option}: {error}", error.fix) from None


def _roots(certificates: tuple[x509.Certificate, ...]) -> tuple[bytes, ...]:
    """The roots of a bundle, wherever they stand."""
    own = without_roots(certificates)
    return tuple(encode(one) for one in certificates if one not in own)
