"""What `pqproxy sniff` says of one caller: a document of a stable shape, and lines for people.

The shape is described in docs/probe.md: keys are added, never renamed.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pqproxy.identity.names import printable
from pqproxy.probing.greeting import Hello
from pqproxy.probing.lines import Line, Mark
from pqproxy.probing.naming import (
    COMPOSITES,
    ML_DSA,
    POST_QUANTUM,
    extension_name,
    group_name,
    scheme_name,
    version_name,
)
from pqproxy.probing.sniffing import Sniffed

_LISTED = 256  # entries of any list: a hello may hold tens of thousands
_SHOWN = 6


def document(sniffed: Sniffed) -> dict[str, Any]:
    """Return everything, ready for JSON."""
    greeting, program = sniffed.greeting, sniffed.program
    return {
        "peer": sniffed.peer,
        "post_quantum": greeting.is_post_quantum,
        "protocol": greeting.protocol,
        "summary": summary(sniffed),
        "program": program and program.name,
        "family": program and program.family,
        "advice": sniffed.advice or None,
        "reason": printable(greeting.reason) or None,
        "hello": None if greeting.hello is None else _hello(greeting.hello),
    }


def summary(sniffed: Sniffed) -> str:
    """Say it in one line."""
    greeting = sniffed.greeting
    who = sniffed.program.name if sniffed.program else "an unknown program"
    if greeting.hello is None:
        tail = f": {printable(greeting.reason)}" if greeting.reason else ""
        return f"not post-quantum: no ClientHello, but {greeting.protocol}{tail}"
    if not greeting.is_post_quantum:
        older = "" if greeting.protocol == "TLS 1.3" else f", {greeting.protocol} at most"
        return f"not post-quantum: {who}{older}"
    offer = greeting.hello.offer
    offered = [g for g in offer.supported_groups if g in POST_QUANTUM]
    shared = [g for g in offer.key_shares if g in POST_QUANTUM]
    how = "with a share" if shared else "without a share: it needs a HelloRetryRequest"
    return f"post-quantum: {who} offers {group_name((shared or offered)[0])} {how}"


def lines(sniffed: Sniffed) -> Iterator[Line]:
    """Yield the lines for people; the first is the verdict."""
    greeting = sniffed.greeting
    mark = Mark.GOOD if greeting.is_post_quantum else Mark.BAD
    yield Line(mark, "", f"{sniffed.peer}  {summary(sniffed)}")
    if sniffed.advice:
        yield Line(Mark.NONE, "what helps", sniffed.advice)
    if greeting.hello is not None:
        yield from _hello_lines(greeting.hello)


def _hello_lines(hello: Hello) -> Iterator[Line]:
    offer = hello.offer
    versions = offer.supported_versions or (hello.message.legacy_version,)
    yield Line(Mark.NONE, "versions", _some(versions, version_name))
    good = Mark.GOOD if hello.is_post_quantum else Mark.BAD
    yield Line(good, "groups", _some(offer.supported_groups, group_name))
    yield Line(Mark.NONE, "key shares", _some(offer.key_shares, group_name))
    takes = [scheme for scheme in offer.signature_schemes if scheme in ML_DSA]
    said = _some(takes, scheme_name) if takes else "none: only classical certificates"
    yield Line(Mark.GOOD if takes else Mark.NONE, "ML-DSA certificates", said)
    if both := [scheme for scheme in offer.signature_schemes if scheme in COMPOSITES]:
        yield Line(Mark.GOOD, "hybrid certificates", _some(both, scheme_name))
    yield Line(Mark.NONE, "signature schemes", _some(offer.signature_schemes, scheme_name))
    yield Line(Mark.NONE, "ALPN", ", ".join(_alpn(hello)[:_SHOWN]) or "none")
    yield Line(Mark.NONE, "server name", printable(offer.server_name or "none"))
    grease = ", with GREASE" if hello.has_grease else ""
    yield Line(Mark.NONE, "size", f"{hello.size:,} bytes {_pieces(hello)}{grease}")


def _pieces(hello: Hello) -> str:
    records = "one record" if hello.records == 1 else f"{hello.records} records"
    reads = "one read" if hello.reads == 1 else f"{hello.reads} reads"
    return f"in {records}, {reads}"


def _hello(hello: Hello) -> dict[str, Any]:
    offer, message = hello.offer, hello.message
    versions = offer.supported_versions or (message.legacy_version,)
    return {
        "versions": _names(versions, version_name),
        "groups": _names(offer.supported_groups, group_name),
        "key_shares": _names(offer.key_shares, group_name),
        "signature_schemes": _names(offer.signature_schemes, scheme_name),
        "mldsa": any(scheme in ML_DSA for scheme in offer.signature_schemes),
        "composite": any(scheme in COMPOSITES for scheme in offer.signature_schemes),
        "cipher_suites": _names(message.cipher_suites, "0x{:04x}".format),
        "extensions": _names(message.extensions, extension_name),
        "alpn": _alpn(hello),
        "server_name": offer.server_name and printable(offer.server_name),
        "grease": hello.has_grease,
        "size": hello.size,
        "records": hello.records,
        "reads": hello.reads,
    }


def _names(points: Iterable[int], name: Callable[[int], str]) -> list[str]:
    return [name(point) for point in list(points)[:_LISTED]]


def _some(points: Iterable[int], name: Callable[[int], str]) -> str:
    listed = _names(points, name)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return (", ".join(listed[:_SHOWN]) + more) or "none"


def _alpn(hello: Hello) -> list[str]:
    return [
        printable(protocol.decode("ascii", "backslashreplace"))
        for protocol in hello.offer.alpn_protocols[:_LISTED]
    ]
