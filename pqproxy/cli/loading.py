"""What `run` and `config` both do: read a file, and the certificates that it names, with care.

The layer `config` knows nothing of certificates, so what is wrong with one is added here, at the
entry that named it: the user sees every problem at once, whoever found it.
"""

import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pqproxy.config.parse import Parsed, load
from pqproxy.config.problems import BROKEN
from pqproxy.config.problems import Path as ConfigPath
from pqproxy.config.values import IdentityFiles, TrustFiles
from pqproxy.crypto import ProviderUnavailable, load_provider
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust


def load_config(path: Path) -> Parsed:
    """Read a file with everything that can be checked before anything listens."""
    parsed = load(path, os.environ)
    now = datetime.fromtimestamp(time.time(), UTC)
    for where, message in certificate_problems(parsed.identities, parsed.trust, now):
        parsed.complain(where, message)
    if parsed.file is not BROKEN and parsed.file.crypto is not BROKEN:
        chosen = parsed.file.crypto.provider
        if chosen is not BROKEN and (reason := provider_problem(chosen)):
            parsed.complain(("crypto", "provider"), reason)
    return parsed


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
            Trust.load(roots)
        except IdentityError as error:
            yield ("trust", roots.name), _sentence(error, f"trust {roots.name}: ")


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
