"""Section `certificates`: what we show to peers, what we believe, and how long that holds."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.subject import Subject
from pqproxy.config.files import UnreadableFile
from pqproxy.config.layouts import key_path
from pqproxy.config.leaves import PassphraseFile
from pqproxy.config.values import IdentityFiles, RevokedSerials
from pqproxy.control.summary import lasting
from pqproxy.crypto.expanded_keys import ExpandedPrivateKey
from pqproxy.crypto.keys import is_weakly_encrypted
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
        yield from _secret_files(subject, name)
    for files in subject.settings.identities:
        yield from _key_form(files)
    for name, trust in subject.trust.items():
        if isinstance(trust, IdentityError):
            yield _unusable("trust", f"trust {name}: ", trust)
        else:
            yield _trust(trust, subject.now)
            for revoked in trust.revocations.lists:
                yield _revocation_list(trust.name, revoked, subject.now)
    for file in mounted_alone(subject.settings.files):
        yield warning("mount", frozen_warning(file), FROZEN_HINT)


def _unusable(kind: str, prefix: str, error: IdentityError) -> Finding:
    message = f"{prefix}{str(error).removeprefix(prefix)}"
    return failure(kind, message, error.fix or "pqproxy certs show FILE tells what is in a file")


def _identity(identity: Identity, now: datetime) -> Finding:
    ends = datetime.fromtimestamp(identity.not_after, UTC)
    expanded = isinstance(identity.private_key, ExpandedPrivateKey)
    form = " (an expanded key, signed with by liboqs)" if expanded else ""
    message = (
        f"identity {identity.name}: {identity.names.name}, {identity.key_algorithm}{form},"
        f" {_ending(ends, now)}"
    )
    if ends - now < SOON:
        return warning("identity", message, "renew it: new files are taken as they come")
    return good("identity", message)


def _secret_files(subject: Subject, name: str) -> Iterator[Finding]:
    entry, base = subject.parsed.file.identities[name], subject.parsed.base
    key = None if entry.key is None else base / entry.key
    with suppress(UnreadableFile):  # read a moment ago: somebody exchanges it just now
        path = key_path(base / entry.certificate, key)
        if _is_exposed(path):
            message = f"identity {name}: every user of this machine may read the key {path}"
            hint = f"chmod o= {path}; if others had time, issue a new key"
            yield warning("key-file", message, hint)
    if isinstance(entry.passphrase, PassphraseFile):
        path = base / entry.passphrase.path
        if _is_exposed(path):
            message = f"identity {name}: every user of this machine may read the passphrase {path}"
            yield warning("passphrase-file", message, f"chmod o= {path}, and use another one")


def _is_exposed(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False


def _key_form(files: IdentityFiles) -> Iterator[Finding]:
    if is_weakly_encrypted(files.key):
        yield warning(
            "key-form",
            f"identity {files.name}: the key is encrypted in an old form: whoever has the file"
            " tries passphrases fast",
            "openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt -in KEY -out key.pem",
        )


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


def _revocation_list(trust: str, revoked: RevokedSerials, now: datetime) -> Finding:
    message = f"trust {trust}: {revoked.authority} revoked {revoked.count}"
    if revoked.next_update is None:
        return good("crl", f"{message}; its list never says when the next is due")
    due = datetime.fromtimestamp(revoked.next_update, UTC)
    if due <= now:
        message += f"; a newer list was due on {due:%Y-%m-%d %H:%M} UTC: this one counts on"
        hint = "get the authority's newest list (pqproxy certs crl makes one), then reload"
        return warning("crl", message, hint)
    return good(
        "crl",
        f"{message}; the next list is due in {lasting(revoked.next_update - now.timestamp())}",
    )


def _ending(ends: datetime, now: datetime) -> str:
    if ends <= now:
        return f"ended {ends:%Y-%m-%d}"
    return f"ends {ends:%Y-%m-%d} (in {lasting((ends - now).total_seconds())})"
