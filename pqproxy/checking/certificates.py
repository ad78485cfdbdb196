"""Section `certificates`: what we show to peers, what we believe, and how long that holds."""

from collections.abc import Iterator
from datetime import UTC, datetime

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.subject import Subject
from pqproxy.config.files import UnreadableFile
from pqproxy.config.layouts import key_path
from pqproxy.control.summary import lasting
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust
from pqproxy.supervisor.certificates import SOON
from pqproxy.supervisor.mounts import FROZEN_HINT, frozen_warning, mounted_alone

_OTHERS = 0o007  # a group may read: that is how containers get their secrets


def check_certificates(subject: Subject) -> Iterator[Finding]:
    """Look at every identity and every trust set."""
    for name, identity in subject.identities.items():
        if isinstance(identity, IdentityError):
            yield _unusable("identity", f"identity {name}: ", identity)
        else:
            yield _identity(identity, subject.now)
        yield from _key_file(subject, name)
    for name, trust in subject.trust.items():
        if isinstance(trust, IdentityError):
            yield _unusable("trust", f"trust {name}: ", trust)
        else:
            yield _trust(trust, subject.now)
    for file in mounted_alone(subject.settings.files):
        yield warning("mount", frozen_warning(file), FROZEN_HINT)


def _unusable(kind: str, prefix: str, error: IdentityError) -> Finding:
    message = f"{prefix}{str(error).removeprefix(prefix)}"
    return failure(kind, message, error.fix or "pqproxy certs show FILE tells what is in a file")


def _identity(identity: Identity, now: datetime) -> Finding:
    ends = datetime.fromtimestamp(identity.not_after, UTC)
    message = (
        f"identity {identity.name}: {identity.names.name}, {identity.key_algorithm},"
        f" {_ending(ends, now)}"
    )
    if ends - now < SOON:
        return warning("identity", message, "renew it: new files are taken as they come")
    return good("identity", message)


def _key_file(subject: Subject, name: str) -> Iterator[Finding]:
    entry, base = subject.parsed.file.identities[name], subject.parsed.base
    key = None if entry.key is None else base / entry.key
    try:
        path = key_path(base / entry.certificate, key)
        mode = path.stat().st_mode
    except (OSError, UnreadableFile):  # read a moment ago: somebody exchanges it just now
        return
    if mode & _OTHERS:
        message = f"identity {name}: every user of this machine may read the key {path}"
        yield warning("key-file", message, f"chmod o= {path}; if others had time, issue a new key")


def _trust(trust: Trust, now: datetime) -> Finding:
    ends = [root.certificate.not_valid_after_utc for root in trust.roots]
    count = f"{len(ends)} root{'s' * (len(ends) > 1)}"
    if max(ends) <= now:
        message = f"trust {trust.name}: {count}, all of which have ended"
        return failure("trust", message, "add the root that signs today, or check the clock")
    message = f"trust {trust.name}: {count}, the first {_ending(min(ends), now)}"
    if min(ends) - now < SOON:
        return warning("trust", message, "add its successor now: peers move one after the other")
    return good("trust", message)


def _ending(ends: datetime, now: datetime) -> str:
    if ends <= now:
        return f"ended {ends:%Y-%m-%d}"
    return f"ends {ends:%Y-%m-%d} (in {lasting((ends - now).total_seconds())})"
