"""What `/status` of the control listener tells, for a person: a screen, not a dump.

Takes the answer as another version may have written it: what is missing there is not shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pqproxy.config.groups import POST_QUANTUM, PRIVATE

_COMPLETED, _REFUSED = "completed", "refused"
_WITHDRAWN = ("revoked", "expired")
_QUANTUM_SAFE = frozenset((*POST_QUANTUM, *PRIVATE))
_ANY = "any"  # of `authentication`: nothing is demanded
_NEVER = "never"  # of `tunnel`
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))

Row = Mapping[str, Any]


def summary(status: Row, now: datetime) -> Iterator[str]:
    """The lines. `now` is what ends of certificates are measured from."""
    yield _headline(status)
    if drain := status.get("drain"):
        yield drain_line(drain)
    yield _workers(status)
    if reload := status.get("last_reload"):
        yield from _reload(reload)
    for listener in status.get("listeners", ()):
        yield ""
        yield from _listener(listener)
    certificates = status.get("certificates", ())
    if certificates:
        yield ""
        yield "certificates"
        yield from (f"  {_certificate(one, now)}" for one in certificates)


def is_ready(status: Row) -> bool:
    """Whether new connections are welcome."""
    return bool(status.get("ready")) and not status.get("draining")


def drain_line(drain: Row) -> str:
    """How far a drain is, as `/status` and the answer to `POST /drain` tell it."""
    if drain.get("phase") == "over":
        finished, reset = drain.get("finished", 0), drain.get("reset", 0)
        if reset:
            return f"drain was forced: {_connections(reset)} reset, {finished} finished"
        return f"drained: {_connections(finished)} finished, nothing was reset"
    line = f"draining: {_connections(drain.get('connections', 0))} open"
    if (oldest := drain.get("oldest_seconds")) is not None:
        line += f", the oldest for {lasting(oldest)}"
    left = lasting(drain.get("seconds_left", 0))
    if drain.get("phase") == "accepting":
        return f"{line}; new ones are accepted for another {left}"
    return f"{line}; what is left in {left} is reset"


def lasting(seconds: float) -> str:
    """A duration in its two largest units: `3 d 4 h`, `12 s`."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2]) or "0 s"


def _connections(count: int) -> str:
    return f"{count} connection{'' if count == 1 else 's'}"


def _headline(status: Row) -> str:
    state = "ready" if is_ready(status) else "starting"
    if status.get("draining"):
        state = "draining"
    return (
        f"pqproxy {status.get('version', '?')}  {state}, process {status.get('pid', '?')},"
        f" up {lasting(status.get('uptime_seconds', 0))}"
    )


def _workers(status: Row) -> str:
    workers = status.get("workers", ())
    ready = sum(bool(worker.get("ready")) for worker in workers)
    # One that died is in the list again only when it is started again.
    wanted = max(status.get("workers_wanted", 0), len(workers))
    line = f"workers  {ready} of {wanted} ready"
    if restarts := status.get("worker_restarts"):
        line += f", {restarts} died: see the log"
    return line


def _reload(reload: Row) -> Iterator[str]:
    """A failed one is what somebody must mend: the old configuration is in force."""
    at = str(reload.get("at", "?"))[:19].replace("T", " ")
    what = "renewal" if reload.get("kind") == "files" else "reload"
    yield f"{what:<8} {at} UTC: {reload.get('summary') or reload.get('error') or '?'}"
    yield from (f"  {problem}" for problem in reload.get("problems", ()))


def _listener(listener: Row) -> Iterator[str]:
    where = ", ".join(listener.get("listen", ()))
    if listener.get("removed"):
        where = "removed by a reload; its last connections live on"
    yield f"{listener.get('role', 'listener')} {listener.get('name', '?')}  {where}"
    origin = listener.get("policy_origin")
    from_where = " (from the environment)" if origin == "environment" else ""
    yield f"  policy       {listener.get('policy', '?')}{from_where}"
    if (demand := listener.get("authentication", _ANY)) != _ANY:
        yield f"  demands      authentication: {demand}"
    active, ended = listener.get("connections_active", 0), listener.get("connections_ended", 0)
    yield f"  connections  {active} active, {ended} ended"
    if tunnels := _tunnels(listener.get("tunnels", {})):
        yield f"  tunnels      {tunnels}"
    for endpoint in listener.get("tunnels", {}).get("endpoints", ()):
        if said := _endpoint(endpoint):
            yield f"    {said}"
    yield f"  handshakes   {_handshakes(listener.get('handshakes', ()))}"
    for decision, what in ((_REFUSED, "refused"), ("would_refuse", "would refuse")):
        if reasons := _reasons(listener.get("decisions", ()), decision):
            yield f"  {what:<12} {reasons}"
    if cut := _cut(listener.get("ends", ())):
        yield f"  cut off      {cut}"


def _tunnels(tunnels: Row) -> str:
    """What is up and what became of the others; nothing where none are to be."""
    rows, active = tunnels.get("closes", ()), tunnels.get("active", 0)
    closed = Counter({str(row.get("reason")): int(row.get("count", 0)) for row in rows})
    if tunnels.get("mode", _NEVER) == _NEVER and not (active or closed):
        return ""
    text = f"{active} up"
    if active:
        text += f", with {_connections(tunnels.get('streams', 0))}"
    if (seconds := tunnels.get("round_trip_seconds")) is not None:
        text += f", round trip {1000 * seconds:.3g} ms"
    if closed:
        text += f"; ended: {', '.join(f'{why} {count}' for why, count in closed.most_common())}"
    return text


def _endpoint(endpoint: Row) -> str:
    """What is worth telling of one; nothing where it is as it should be."""
    address = endpoint.get("address", "?")
    if why := endpoint.get("why"):
        return f"{address} is out: {str(why).removeprefix(f'{address}: ')}"
    if endpoint.get("plain"):
        return f"{address} speaks no tunnels: a TLS connection for each connection"
    return "" if endpoint.get("tunnels") else f"{address} has no tunnel yet"


def _handshakes(rows: list[Row]) -> str:
    """How many, the share of post-quantum ones, and which groups."""
    groups: Counter[str] = Counter()
    failed = 0
    for row in rows:
        if row.get("result") == _COMPLETED:
            groups[str(row.get("group"))] += int(row.get("count", 0))
        else:
            failed += int(row.get("count", 0))
    total = groups.total()
    text = "none"
    if total:
        safe = sum(count for group, count in groups.items() if group in _QUANTUM_SAFE)
        listed = ", ".join(f"{group} {count}" for group, count in groups.most_common())
        text = f"{total}, {_share(safe, total)} post-quantum ({listed})"
    return f"{text}, {failed} not completed" if failed else text


def _share(part: int, whole: int) -> str:
    """Rounded, but never to all or nothing where it is neither."""
    if part in (0, whole):
        return f"{100 * part // whole} %"
    return f"{min(max(round(100 * part / whole, 1), 0.1), 99.9)} %"


def _reasons(rows: list[Row], decision: str) -> str:
    reasons: Counter[str] = Counter()
    for row in rows:
        if row.get("decision") == decision:
            reasons[str(row.get("reason"))] += int(row.get("count", 0))
    return ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())


def _cut(rows: list[Row]) -> str:
    """How many were ended because their peers are believed no more."""
    counts = dict.fromkeys(_WITHDRAWN, 0)
    for row in rows:
        if row.get("end_reason") in counts:
            counts[str(row["end_reason"])] += int(row.get("count", 0))
    return ", ".join(f"{reason} {count}" for reason, count in counts.items() if count)


def _certificate(end: Row, now: datetime) -> str:
    title = f"{end.get('identity', '?')} {end.get('role', '')}"
    not_after = datetime.fromisoformat(str(end.get("not_after")))
    left = (not_after - now).total_seconds()
    when = f"in {lasting(left)}" if left > 0 else "ENDED"
    if end.get("warning"):
        when += ": renew it"
    return f"{title:<24} ends {not_after:%Y-%m-%d %H:%M} UTC ({when})"
