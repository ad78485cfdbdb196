"""What the demo tells: what protected the completion, and what to try next.

Every value comes from what the sidecars logged about the connection, none is known beforehand.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from pqproxy.demo.client import Completion
from pqproxy.demo.measure import Comparison

PICTURE = """\
  client ──plaintext──▸ sidecar ══════ TLS 1.3 ══════▸ sidecar ──plaintext──▸ model server
"""

NEXT = """\
Try next
  pqproxy demo --upstream http://127.0.0.1:8000          your own model server behind the same pair
  pqproxy serve :8443 --to 127.0.0.1:8000                a sidecar in front of it; prints the
                                                         `connect` line for the other machine
  pqproxy config schema                                  all that a config file can say
"""


@dataclass(frozen=True, slots=True)
class Protection:
    """What the two sidecars said about one connection between them."""

    group: str
    cipher_suite: str
    server_signature: str
    server_identity: str
    client_signature: str
    client_identity: str
    request_bytes: int
    answer_bytes: int


def connections(log: str) -> Iterator[dict[str, Any]]:
    """The connection lines of a sidecar's JSON log, in order."""
    for line in log.split("\n")[:-1]:  # the last one may be still in the making
        if line.startswith("{"):
            entry = json.loads(line)
            if entry["event"] == "connection":
                yield entry


def protection(ingress: dict[str, Any], egress: dict[str, Any]) -> Protection:
    """What the connection lines of both sidecars say about the same connection."""
    return Protection(
        group=ingress["group"],
        cipher_suite=ingress["cipher_suite"],
        server_signature=ingress["signature"],
        server_identity=egress["identity"],
        client_signature=ingress["peer_signature"],
        client_identity=ingress["identity"],
        request_bytes=ingress["received"],
        answer_bytes=ingress["sent"],
    )


def stream_summary(completion: Completion) -> str:
    """How the tokens came."""
    arrivals = completion.arrivals
    line = f"{len(arrivals)} tokens, the first after {_milliseconds(arrivals[0])}"
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    return f"{line}, then one every {_milliseconds(median(gaps))} (median)" if gaps else line


def protection_report(found: Protection) -> str:
    """What protected the completion, a line each."""
    rows = {
        "key exchange": found.group,
        "cipher suite": found.cipher_suite,
        "server proved": f"{found.server_identity} ({found.server_signature})",
        "client proved": f"{found.client_identity} ({found.client_signature})",
        "bytes carried": f"{found.request_bytes:,} asked, {found.answer_bytes:,} answered",
    }
    return _table("What protected it, as both sidecars logged it", rows)


def cost_report(new: Comparison, kept: Comparison) -> str:
    """The added time to first token."""
    tries = len(new.direct)
    rows = {"new connection": _cost(new), "open connection": _cost(kept)}
    return _table(f"Added time to first token (medians of {tries} tries, in turn)", rows)


def _cost(comparison: Comparison) -> str:
    direct, through = median(comparison.direct), median(comparison.through)
    added = f"{comparison.added * 1000:+.1f} ms"
    return f"{added}   ({_milliseconds(direct)} direct, {_milliseconds(through)} through the pair)"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _table(title: str, rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join([title, *(f"  {name:<{width}}   {value}" for name, value in rows.items()), ""])
