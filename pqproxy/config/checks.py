"""What one value of the file demands of another: references, addresses, safe combinations.

Works on a model that may hold `BROKEN`; what is broken was reported before and is left alone.
"""

from collections.abc import Iterator
from typing import Any

from pqproxy.config import groups as group_names
from pqproxy.config.addresses import is_loopback, overlaps
from pqproxy.config.code_points import wrong_code_points
from pqproxy.config.document import Document
from pqproxy.config.environment import PolicySource
from pqproxy.config.leaves import PassphraseVariable, parse_name
from pqproxy.config.problems import BROKEN, Path, Problem, did_you_mean
from pqproxy.config.schema import EgressEntry, File, IngressEntry, ListenerEntry
from pqproxy.config.values import ClientAuth, PeerAuthentication, Policy, Profile, UnixAddress


def check(file: File, document: Document, policies: PolicySource) -> list[Problem]:
    """Return every problem between the parts of a file, under the policies that hold."""
    if file is BROKEN:
        return []
    return list(_Checks(file, document, policies).run())


def _whole(*values: Any) -> bool:
    return all(value is not BROKEN for value in values)


def _is_remote(address: Any) -> bool:
    return _whole(address) and not is_loopback(address)


class _Checks:
    """One walk over one file. Each method yields the problems it sees."""

    def __init__(self, file: File, document: Document, policies: PolicySource) -> None:
        self._file = file
        self._policies = policies
        self._document = document

    def run(self) -> Iterator[Problem]:
        yield from self._sets()
        yield from self._passphrases()
        yield from self._code_points()
        yield from self._health()
        yield from self._unique_names()
        yield from self._unique_addresses()
        for path, listener in self._listeners():
            yield from self._identities(path, listener)
            yield from self._trust(path, listener)
            yield from self._groups(path, listener)
            yield from self._authentication(path, listener)
            if isinstance(listener, IngressEntry):
                yield from self._ingress(path, listener)
            if isinstance(listener, EgressEntry):
                yield from self._egress(path, listener)

    def _listeners(self) -> Iterator[tuple[Path, ListenerEntry]]:
        for role, entries in (("ingress", self._file.ingress), ("egress", self._file.egress)):
            for index, entry in enumerate(entries if _whole(entries) else []):
                if _whole(entry):
                    yield (role, index), entry

    def _problem(self, path: Path, message: str) -> Problem:
        return Problem(self._document.value_position(path), path, message)

    def _sets(self) -> Iterator[Problem]:
        file = self._file
        if file.ingress == [] and file.egress == []:
            yield self._problem((), "there is no ingress and no egress: nothing to do")
        for section, names in (("identities", file.identities), ("trust", file.trust)):
            for name in names if _whole(names) else ():
                try:
                    parse_name(name)
                except ValueError as error:
                    path = (section, name)
                    yield Problem(self._document.key_position(path), path, str(error))
        if _whole(file.control) and file.control and _is_remote(file.control.listen):
            message = f"{file.control.listen} is open to other machines: use unix:… or loopback"
            yield self._problem(("control", "listen"), message)

    def _passphrases(self) -> Iterator[Problem]:
        """Whoever reads a configuration must not read a passphrase, nor take none for one."""
        for name, entry in self._file.identities.items() if _whole(self._file.identities) else ():
            path = ("identities", name, "passphrase")
            expansion = self._document.expansions.get(path)
            if expansion and not expansion.text:
                yield self._problem(path, f"{expansion.template} is empty")
                continue
            written = _whole(entry) and isinstance(entry.passphrase, PassphraseVariable)
            if written and not (expansion and expansion.variable):
                message = "stands in the file itself: use {file: PATH} or ${VARIABLE}"
                yield self._problem(path, message)

    def _code_points(self) -> Iterator[Problem]:
        given = self._file.code_points
        if not _whole(given, *(given.values() if _whole(given) else ())):
            return
        for kind, message in wrong_code_points(given):
            path = ("code_points", kind)
            yield Problem(self._document.key_position(path), path, message)

    def _health(self) -> Iterator[Problem]:
        """A probe names no listener, so it must be clear whose upstream is meant."""
        health, ingress = self._file.health, self._file.ingress
        if not _whole(health, ingress) or health is None or len(ingress) == 1:
            return
        for key in ("probes", "upstream_metrics"):
            if _whole(asked := getattr(health, key)) and asked:
                message = f"needs one ingress, whose upstream is asked; there are {len(ingress)}"
                yield self._problem(("health", key), message)

    def _unique_names(self) -> Iterator[Problem]:
        seen: dict[str, Path] = {}
        for path, listener in self._listeners():
            if not _whole(listener.name):
                continue
            first = seen.setdefault(listener.name, path)
            if first != path:
                other = ".".join(map(str, first))
                yield self._problem((*path, "name"), f"{listener.name} is the name of {other} too")

    def _unique_addresses(self) -> Iterator[Problem]:
        seen: list[tuple[Path, Any]] = []
        places: list[tuple[Path, Any]] = list(self._listeners())
        places += [(("control",), self._file.control), (("health",), self._file.health)]
        for path, section in places:
            if not _whole(section) or section is None or not _whole(section.listen):
                continue
            for other, address in seen:
                if overlaps(address, section.listen):
                    message = f"{section.listen} is taken by {'.'.join(map(str, other))} already"
                    yield self._problem((*path, "listen"), message)
                    break
            seen.append((path, section.listen))

    def _identities(self, path: Path, listener: Any) -> Iterator[Problem]:
        if not _whole(listener.identities):
            return
        for index, name in enumerate(listener.identities):
            yield from self._reference((*path, "identities", index), name, self._file.identities)

    def _trust(self, path: Path, listener: Any) -> Iterator[Problem]:
        if listener.trust is not None:
            yield from self._reference((*path, "trust"), listener.trust, self._file.trust)

    def _reference(self, path: Path, name: str, known: dict[str, Any]) -> Iterator[Problem]:
        if not _whole(name, known) or name in known:
            return
        section = "trust" if path[-1] == "trust" else "identities"
        meant = did_you_mean(name, known)
        yield self._problem(path, f"there is no {name} under {section}{meant}")

    def _groups(self, path: Path, listener: ListenerEntry) -> Iterator[Problem]:
        groups, (policy, _) = listener.groups, self._policies.of(listener)
        if groups is Profile.CNSA2:
            if _whole(policy) and policy is not Policy.REQUIRE:
                message = f"{policy} accepts classical peers, and groups: cnsa2 accepts none"
                yield self._problem((*path, "policy"), message)
            return
        if not _whole(groups, policy) or groups is None or policy is Policy.PREFER:
            return
        if not set(groups) - set(group_names.CLASSICAL):
            message = "names no post-quantum group: policy: prefer would accept that"
            yield self._problem((*path, "groups"), message)
            return
        for index, name in enumerate(groups):
            if name in group_names.CLASSICAL and policy is Policy.REQUIRE:
                message = f"{name} is not post-quantum: policy: prefer would accept it"
                yield self._problem((*path, "groups", index), message)

    def _authentication(self, path: Path, listener: ListenerEntry) -> Iterator[Problem]:
        demand = listener.authentication
        if not _whole(demand) or demand is PeerAuthentication.ANY:
            return
        where = (*path, "authentication")
        if demand is PeerAuthentication.HYBRID and listener.groups is Profile.CNSA2:
            message = (
                "hybrid takes composite keys only, and groups: cnsa2 takes ML-DSA-87 only: "
                "leave authentication out, cnsa2 demands post-quantum signatures already"
            )
            yield self._problem(where, message)
        if not isinstance(listener, IngressEntry):
            return
        if listener.client_auth is ClientAuth.NONE:
            message = (
                f"{demand} has no effect with client_auth: none: no client shows a certificate; "
                "use client_auth: require, or leave authentication out"
            )
            yield self._problem(where, message)
        if listener.client_auth is ClientAuth.REQUEST and listener.unsafe_anonymous is False:
            message = (
                f"{demand} does not hold for clients without a certificate, which client_auth: "
                "request lets in: use require, or set unsafe_anonymous: true"
            )
            yield self._problem(where, message)

    def _ingress(self, path: Path, entry: IngressEntry) -> Iterator[Problem]:
        if _is_remote(entry.forward) and entry.unsafe_remote_plaintext is False:
            message = (
                f"plaintext would leave this machine for {entry.forward}: use loopback or "
                "unix:…, or set unsafe_remote_plaintext: true"
            )
            yield self._problem((*path, "forward"), message)
        if not _whole(entry.client_auth):
            return
        if entry.client_auth is not ClientAuth.NONE and entry.trust is None:
            message = f"is missing: client_auth: {entry.client_auth} needs roots to verify against"
            yield self._problem((*path, "trust"), message)
        yield from self._allow(path, entry)

    def _allow(self, path: Path, entry: IngressEntry) -> Iterator[Problem]:
        if not _whole(entry.allow):
            return
        if entry.client_auth is ClientAuth.REQUIRE and not entry.allow:
            message = "is missing: list who may connect, or [any-trusted] for every verified peer"
            yield self._problem((*path, "allow"), message)
        if entry.client_auth is ClientAuth.NONE and entry.allow:
            message = "has no effect with client_auth: none: no client shows who it is"
            yield self._problem((*path, "allow"), message)
        if entry.unsafe_anonymous is not False:
            return
        if entry.client_auth is ClientAuth.REQUEST and entry.allow:
            # Who shows no certificate is judged by no list, so it would shut nobody out.
            message = (
                "does not hold for clients without a certificate, which client_auth: request "
                "lets in: use require, or set unsafe_anonymous: true"
            )
            yield self._problem((*path, "allow"), message)
        anonymous = entry.client_auth is not ClientAuth.REQUIRE and not entry.allow
        if anonymous and _is_remote(entry.listen):
            message = (
                f"anyone who reaches {entry.listen} could connect: use require, or set "
                "unsafe_anonymous: true"
            )
            yield self._problem((*path, "client_auth"), message)

    def _egress(self, path: Path, entry: EgressEntry) -> Iterator[Problem]:
        if _is_remote(entry.listen) and entry.unsafe_remote_plaintext is False:
            message = (
                "other machines could send plaintext here: listen on loopback or unix:…, "
                "or set unsafe_remote_plaintext: true"
            )
            yield self._problem((*path, "listen"), message)
        if not _whole(entry.connect, entry.expect):
            return
        for index, peer in enumerate(entry.connect):
            if _whole(peer) and peer in entry.connect[:index]:
                yield self._problem((*path, "connect", index), f"{peer} is listed already")
        if not entry.expect and any(isinstance(peer, UnixAddress) for peer in entry.connect):
            message = "is missing: a unix socket has no host name to expect"
            yield self._problem((*path, "expect"), message)
