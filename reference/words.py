"""The closed sets of words that users meet: exit codes and reasons."""

from collections.abc import Iterator
from enum import StrEnum

from pqproxy.telemetry.labels import ConnectResult, Decision, HandshakeResult
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from reference.markdown import code, table

# The only thing here that is not read from code: a number has no name where it is returned.
EXIT_CODES = (
    ("0", "good"),
    ("1", "failure at run time"),
    ("2", "usage or configuration"),
    ("3", "negative verdict"),
    ("4", "drain was forced: connections were reset"),
    ("130", "interrupted by Ctrl-C"),
)
_SETS = (
    ("`reason`: why a peer was refused, or a connection not served", ReasonCode),
    ("`end_reason`: how a connection ended", EndReason),
    ("`reason` of `pqproxy_tunnel_closes_total`: how a tunnel ended", TunnelEnd),
    ("`result` of `pqproxy_handshakes_total`", HandshakeResult),
    ("`result` of `pqproxy_upstream_connects_total`", ConnectResult),
    ("`decision` of `pqproxy_policy_decisions_total`", Decision),
)
_EXPLAINED = (ReasonCode, EndReason)  # in troubleshooting.md


def exit_codes() -> Iterator[str]:
    """A table."""
    yield from table(("code", "means"), EXIT_CODES)


def words() -> Iterator[str]:
    """Each set in a line."""
    for title, members in _SETS:
        listed = ", ".join(_word(member) for member in members)
        yield f"- {title}: {listed}"


def _word(member: StrEnum) -> str:
    text = code(member.value)
    return (
        f"[{text}](troubleshooting.md#{member.value})" if isinstance(member, _EXPLAINED) else text
    )
