"""Section `config`: what a configuration permits that is less than it could demand."""

import json
from collections.abc import Iterator

from pqproxy.checking.findings import Finding, good, warning
from pqproxy.checking.subject import Subject
from pqproxy.config.addresses import is_loopback
from pqproxy.config.groups import PRIVATE
from pqproxy.config.redaction import redacted
from pqproxy.config.schema import ListenerEntry
from pqproxy.config.values import ClientAuth, Egress, Ingress, Policy, PolicyOrigin

_REQUIRE = "policy: require refuses them; pqproxy observed names whom, under policy: observe"
_COMPARED = ("ingress", "egress", "workers", "provider", "drain")
_OBSERVED = "pqproxy observed names whom policy: require would refuse; once that is nobody, set it"


def check_configuration(subject: Subject) -> Iterator[Finding]:
    """Look at what the file and the environment say."""
    settings = subject.settings
    yield good(
        "file",
        f"{subject.parsed.source} is valid: {len(settings.ingress)} ingress,"
        f" {len(settings.egress)} egress, {settings.workers} worker{'s' * (settings.workers > 1)}",
    )
    for listener, entry in _listeners(subject):
        yield _policy(listener, subject.settings.environment_policy)
        yield from _plaintext(listener, entry)
        if isinstance(listener, Ingress):
            yield from _anonymous(listener, bool(getattr(entry, "unsafe_anonymous", False)))
        yield from _private_groups(listener)
    yield from _key_log(subject)
    yield from _reload(subject)


def _listeners(subject: Subject) -> Iterator[tuple[Ingress | Egress, ListenerEntry]]:
    yield from zip(subject.settings.ingress, subject.parsed.file.ingress, strict=True)
    yield from zip(subject.settings.egress, subject.parsed.file.egress, strict=True)


def _policy(listener: Ingress | Egress, environment: Policy | None) -> Finding:
    policy, origin = listener.policy, listener.policy_origin
    if policy is Policy.REQUIRE:
        return good("policy", f"{listener.name}: policy require ({_origin(origin)})")
    message = f"{listener.name}: policy {policy} ({_origin(origin)}) serves classical peers too"
    if environment is Policy.REQUIRE:
        message += ", although the environment asks for require"
    return warning("policy", message, _OBSERVED if policy is Policy.OBSERVE else _REQUIRE)


def _origin(origin: PolicyOrigin) -> str:
    return f"from the {origin}" if origin is not PolicyOrigin.DEFAULT else "by default"


def _plaintext(listener: Ingress | Egress, entry: ListenerEntry) -> Iterator[Finding]:
    leg = listener.forward if isinstance(listener, Ingress) else listener.listen
    if not entry.unsafe_remote_plaintext:
        return
    if is_loopback(leg):
        yield warning(
            "unsafe",
            f"{listener.name}: unsafe_remote_plaintext is set, and nothing needs it",
            "remove it: it would permit a later mistake",
        )
        return
    what = (
        "plaintext leaves this machine for"
        if isinstance(listener, Ingress)
        else ("other machines may send plaintext to")
    )
    yield warning(
        "plaintext",
        f"{listener.name}: {what} {leg} (unsafe_remote_plaintext)",
        "put a sidecar beside the other end, or use loopback or a unix socket",
    )


def _anonymous(listener: Ingress, is_unsafe: bool) -> Iterator[Finding]:
    if listener.client_auth is not ClientAuth.REQUIRE and not is_loopback(listener.listen):
        yield warning(
            "anonymous",
            f"{listener.name}: client_auth: {listener.client_auth} lets in clients that do not"
            " say who they are",
            "client_auth: require and a list under allow shut them out",
        )
    elif is_unsafe:
        yield warning(
            "unsafe",
            f"{listener.name}: unsafe_anonymous is set, and "
            + (
                "nothing needs it"
                if listener.client_auth is ClientAuth.REQUIRE
                else "lets clients in that allow does not list"
            ),
            "remove it, or use client_auth: require",
        )


def _private_groups(listener: Ingress | Egress) -> Iterator[Finding]:
    for group in listener.groups:
        if group in PRIVATE:
            yield warning(
                "private-group",
                f"{listener.name}: {group} has a code point for private use: to other TLS stacks it"
                " is unknown, or something else",
                "list it only where both ends are pqproxy, with a standard group beside it",
            )


def _key_log(subject: Subject) -> Iterator[Finding]:
    running = subject.running
    if running is not None and running.settings.get("keylog"):
        yield warning(
            "keylog",
            f"the running pqproxy writes TLS secrets to {running.settings['keylog']}",
            "restart it without --keylog, and remove that file",
        )


def _reload(subject: Subject) -> Iterator[Finding]:
    """What runs may go by an older state of the file; what certificates hold is not compared."""
    running = subject.running
    if running is None:
        return
    written = json.loads(json.dumps(redacted(subject.settings)))
    differing = [key for key in _COMPARED if written.get(key) != running.settings.get(key)]
    if differing:
        message = f"the running pqproxy goes by another configuration: {', '.join(differing)}"
        yield warning("reload", message, "pqproxy reload, or a restart, puts this file in force")
    else:
        yield good("reload", f"process {running.pid} runs from this configuration")
