"""What `run` and `config` both do: read a file, and the certificates that it names, with care.

The layer `config` knows nothing of certificates, so what is wrong with one is added here, at the
entry that named it: the user sees every problem at once, whoever found it.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pqproxy.config.parse import Parsed, load
from pqproxy.config.problems import BROKEN
from pqproxy.config.problems import Path as ConfigPath
from pqproxy.config.schema import EgressEntry, File, IngressEntry
from pqproxy.config.values import IdentityFiles, Profile, TrustFiles
from pqproxy.crypto import ProviderUnavailable, load_provider
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity, unlock
from pqproxy.identity.profile import accepted_keys, check_own, narrowed
from pqproxy.identity.revocation_lists import UnusableRevocationList
from pqproxy.identity.trust import Trust


def load_config(path: Path, text: str | None = None) -> Parsed:
    """Read a file with everything that can be checked before anything listens.

    Where there is `text`, that is what stood in the file, and only what it names is read.
    """
    parsed = load(path, os.environ, text)
    _unlock(parsed)
    now = datetime.fromtimestamp(time.time(), UTC)
    for where, message in certificate_problems(parsed.identities, parsed.trust, now):
        parsed.complain_of_file(where, message)
    parsed.trust = [_settle(files) if files.crl else files for files in parsed.trust]
    for where, message in demand_problems(parsed.file, parsed.identities, parsed.trust, now):
        parsed.complain_of_file(where, message)
    if parsed.file is not BROKEN and parsed.file.crypto is not BROKEN:
        chosen = parsed.file.crypto.provider
        if chosen is not BROKEN and (reason := provider_problem(chosen)):
            parsed.complain(("crypto", "provider"), reason)
    return parsed


def _unlock(parsed: Parsed) -> None:
    """Open the keys under passphrases, once for all who use them."""
    unlocked = []
    for files in parsed.identities:
        try:
            unlocked.append(unlock(files))
        except IdentityError as error:
            parsed.complain_of_file(
                ("identities", files.name), _sentence(error, f"identity {files.name}: ")
            )
    parsed.identities = unlocked


def certificate_problems(
    identities: Iterable[IdentityFiles], trust: Iterable[TrustFiles], now: datetime
) -> Iterator[tuple[ConfigPath, str]]:
    """Yield what is wrong with keys, chains and roots, and which entry it is about."""
    for identity in identities:
        try:
            Identity.load(identity, now)
        except IdentityError as error:
            yield ("identities", identity.name), _sentence(error, f"identity {identity.name}: ")
    for roots in trust:
        try:
            found = Trust.load(roots)
        except UnusableRevocationList as error:
            yield ("trust", roots.name, "crl"), _sentence(error, "")
        except IdentityError as error:
            yield ("trust", roots.name), _sentence(error, f"trust {roots.name}: ")
        else:
            # With one that holds, peers come in; the others are warned of while it serves.
            last = max(root.certificate.not_valid_after_utc for root in found.roots)
            if last <= now:
                message = f"{roots.source}: every root has ended, the last on {last:%Y-%m-%d %H:%M}"
                fix = "add the root that signs today, or check the clock"
                yield ("trust", roots.name), f"{message} UTC ({fix})"


def demand_problems(
    file: File,
    identities: Iterable[IdentityFiles],
    trust: Iterable[TrustFiles],
    now: datetime,
) -> Iterator[tuple[ConfigPath, str]]:
    """Yield what a listener's demands hold against its certificates.

    `groups: cnsa2` speaks of ours too, `authentication` of the peers' alone.
    """
    own = {files.name: files for files in identities}
    believed = {files.name: files for files in trust}
    for path, entry in _listeners(file):
        profile = entry.groups if isinstance(entry.groups, Profile) else Profile.DEFAULT
        for index, name in enumerate(entry.identities if entry.identities is not BROKEN else ()):
            if name in own and (reason := _unfit_identity(own[name], profile, now)):
                yield (*path, "identities", index), reason
        if entry.trust in believed and (reason := _unfit_trust(believed[entry.trust], entry)):
            yield (*path, "trust"), reason


def _settle(files: TrustFiles) -> TrustFiles:
    """Boil the revocation lists down to what listeners need, where they are sound."""
    with suppress(IdentityError):  # which is reported already
        return replace(files, crl=(), revoked=Trust.load(files).revocations.lists)
    return files


def _listeners(file: File) -> Iterator[tuple[ConfigPath, IngressEntry | EgressEntry]]:
    if file is BROKEN:
        return
    for index, ingress in enumerate(file.ingress if file.ingress is not BROKEN else ()):
        if ingress is not BROKEN:
            yield ("ingress", index), ingress
    for index, egress in enumerate(file.egress if file.egress is not BROKEN else ()):
        if egress is not BROKEN:
            yield ("egress", index), egress


def _unfit_identity(files: IdentityFiles, profile: Profile, now: datetime) -> str | None:
    if profile is Profile.DEFAULT:
        return None
    with suppress(IdentityError):  # one that does not load is reported already
        identity = Identity.load(files, now)
        try:
            check_own(identity, profile)
        except IdentityError as error:
            return _sentence(error, f"identity {files.name}: ")
    return None


def _unfit_trust(files: TrustFiles, entry: IngressEntry | EgressEntry) -> str | None:
    profile = entry.groups if isinstance(entry.groups, Profile) else Profile.DEFAULT
    if entry.authentication is BROKEN or not accepted_keys(profile, entry.authentication):
        return None  # nothing is demanded, or so much that it was refused already
    with suppress(IdentityError):
        trust = Trust.load(files)
        try:
            narrowed(trust, profile, entry.authentication)
        except IdentityError as error:
            return _sentence(error, f"trust {files.name}: ")
    return None


def provider_problem(choice: str) -> str | None:
    """Return why a provider cannot be used on this machine, or None."""
    try:
        load_provider(choice)
    except ProviderUnavailable as error:
        return str(error)
    return None


def _sentence(error: IdentityError, prefix: str) -> str:
    """The path of the problem names the entry already."""
    message = str(error).removeprefix(prefix)
    return f"{message} ({error.fix})" if error.fix else message
