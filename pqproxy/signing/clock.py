"""The time that is stated, and at which certificates are judged: what was given, or now."""

import time
from datetime import UTC, datetime


def moment(given: datetime | None) -> datetime:
    """Return it in UTC. Raises ValueError for one without a zone, which would be anywhere's."""
    if given is None:
        return datetime.fromtimestamp(time.time(), UTC)
    if given.tzinfo is None:
        raise ValueError("a time without a zone: give datetime(…, tzinfo=UTC)")
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None
