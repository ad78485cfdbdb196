"""Whom a reload lets in again without an authority's newest word: worth a warning, never silent.

A newer list without an entry is that word: certificates that have ended leave it. An older one, as
out of a backup, or none at all is what somebody did by mistake, or behind the operator's back.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from pqproxy.config.values import SERIAL_BYTES, RevokedSerials, Settings


def believed_again(before: Settings, after: Settings) -> Iterator[str]:
    """Say it of each list of a trust set that goes on."""
    then = {trust.name: trust.revoked for trust in before.trust}
    for trust in after.trust:
        today = {one.issuer: one for one in trust.revoked}
        for older in then.get(trust.name, ()):
            what = _what_happened(older, today.get(older.issuer))
            count = _missing(older, today.get(older.issuer)) if what else 0
            if count:
                believed = f"{count} certificate{'s are' if count > 1 else ' is'} believed again"
                yield f"trust {trust.name}: {what}: {believed}"


def _what_happened(before: RevokedSerials, after: RevokedSerials | None) -> str:
    if after is None:
        return f"there is no revocation list of {before.authority} any more"
    if after.this_update >= before.this_update:
        return ""
    said, known = (
        f"{datetime.fromtimestamp(one.this_update, UTC):%Y-%m-%d %H:%M} UTC"
        for one in (after, before)
    )
    return (
        f"the revocation list of {after.authority} is of {said}, older than the one before"
        f" ({known})"
    )


def _missing(before: RevokedSerials, after: RevokedSerials | None) -> int:
    """How many certificates only the one before names."""
    if after is None:
        return before.count
    return len(_entries(before) - _entries(after))


def _entries(revoked: RevokedSerials) -> set[bytes]:
    starts = range(0, len(revoked.serials), SERIAL_BYTES)
    return {revoked.serials[start : start + SERIAL_BYTES] for start in starts}
