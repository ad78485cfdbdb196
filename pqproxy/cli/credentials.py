"""What `--identity` and `--trust` name: who we are and whom we believe, in files and directories.

Nothing here needs a configuration, nor what reads one: `sign`, `verify` and `probe` start without.
"""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509

from pqproxy.cli.errors import CommandError
from pqproxy.config.files import UnreadableFile, is_directory, read_file
from pqproxy.config.layouts import Pair, key_beside, read_pair, read_roots
from pqproxy.config.values import IdentityFiles, TrustFiles
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.exporting import split_bundle
from pqproxy.identity.leaves import file_algorithm
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.own import unlock
from pqproxy.identity.pem import encode, holds_private_key, read_certificates, without_roots

# The names of the one trust set, and of an identity that is alone.
OWN, PEERS = "own", "peers"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are and whom we believe."""

    identities: tuple[IdentityFiles, ...]  # in the order in which they are offered
    trust: TrustFiles | None
    files: tuple[str, ...] = ()  # that they were read from


def read_credentials(
    identities: Sequence[Path], trust: Path | None, passphrase: bytes | None = None
) -> Credentials:
    """Read each `--identity` (keys and chains, perhaps roots, in one PEM or directory), `--trust`.

    The roots of bundles are believed where `--trust` says nothing. The passphrase is that of the
    identities' keys, which are returned without it. Raises CommandError.
    """
    own: list[IdentityFiles] = []
    roots: list[bytes] = []
    files = [trust] if trust else []
    for path in identities:
        found, believed = _read_identities(path, passphrase)
        own += found
        roots += (root for root in believed if root not in roots)
        files += [path, key_beside(path) or path]
    peers = None
    if trust:
        peers = TrustFiles(PEERS, _read_trust(trust), str(trust))
    elif roots:
        peers = TrustFiles(PEERS, tuple(roots), ", ".join(map(str, identities)))
    named = tuple(dict.fromkeys(str(file.absolute()) for file in files))
    return Credentials(_named(own), peers, named)


def _read_identities(
    path: Path, passphrase: bytes | None
) -> tuple[list[IdentityFiles], tuple[bytes, ...]]:
    pair = _read_pair(path)
    together = pair.key == pair.certificate
    own: list[IdentityFiles] = []
    roots: list[bytes] = []
    for pem in split_bundle(pair.certificate) if together else [pair.certificate]:
        certificates = _certificates("--identity", pem, path)
        chain = encode(*without_roots(certificates))
        key = pem if together else pair.key
        own.append(_unlocked(IdentityFiles(OWN, chain, key, f"{path}{pair.source}", passphrase)))
        roots += _roots(certificates)
    return own, (*roots, *_roots_beside(path))


def _unlocked(files: IdentityFiles) -> IdentityFiles:
    try:
        return unlock(files)
    except IdentityError as error:
        message, fix = f"--identity: {str(error).removeprefix(f'identity {OWN}: ')}", error.fix
    raise CommandError(message, fix or None)


def _named(own: Sequence[IdentityFiles]) -> tuple[IdentityFiles, ...]:
    """Several are called as their keys are, which is what they differ in."""
    if len(own) < 2:
        return tuple(own)
    kinds = [_kind(one) for one in own]
    repeated = {kind for kind, count in Counter(kinds).items() if count > 1}
    return tuple(
        replace(one, name=f"{kind}-{number}" if kind in repeated else kind)
        for number, (one, kind) in enumerate(zip(own, kinds, strict=True), 1)
    )


def _kind(files: IdentityFiles) -> str:
    (leaf, *_) = read_certificates(files.certificate, files.source)
    try:
        return file_algorithm(certificate_key(leaf))
    except MALFORMED:
        return OWN  # whoever loads it says what is wrong


def _read_pair(path: Path) -> Pair:
    try:
        # A key beside it is meant where the certificate comes without one.
        if (
            os.path.isfile(path)
            and not holds_private_key(read_file(path))
            and (key := key_beside(path))
        ):
            return Pair(read_file(path), read_file(key), f" with {key}")
        return read_pair(path)
    except UnreadableFile as error:
        raise CommandError(f"--identity: {error}") from None


def _roots_beside(path: Path) -> tuple[bytes, ...]:
    """The roots that lie in the directory of an identity: some have none, or an empty file."""
    with suppress(UnreadableFile):
        return read_roots(path) if is_directory(path) else ()
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
