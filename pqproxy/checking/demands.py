"""Of section `certificates`: whether they fit what listeners demand, and what peers that demand
more of signatures will make of ours."""

from collections.abc import Iterator

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.subject import Subject
from pqproxy.config.values import Egress, Ingress, PeerAuthentication
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity
from pqproxy.identity.profile import PEER_ALGORITHMS, check_own, narrowed, satisfies
from pqproxy.identity.trust import Trust

_NAME = "authentication"
_TOLD = {
    PeerAuthentication.HYBRID: "peers that demand hybrid or post-quantum take it",
    PeerAuthentication.POST_QUANTUM: "peers that demand post-quantum take it, not those that"
    " demand hybrid",
    PeerAuthentication.ANY: "for standard peers: those that demand hybrid or post-quantum do not"
    " take it",
}


def check_demands(subject: Subject) -> Iterator[Finding]:
    """Look at every identity, and at what listeners demand and have to show themselves."""
    for identity in subject.identities.values():
        if isinstance(identity, Identity):
            strongest = next(demand for demand in _TOLD if satisfies(identity, demand))
            yield good(_NAME, f"identity {identity.name}: {_TOLD[strongest]}")
    listeners: tuple[Ingress | Egress, ...] = (*subject.settings.ingress, *subject.settings.egress)
    for listener in listeners:
        own = subject.usable_identities(listener.identities)
        yield from _unfit(listener, own, subject.trust.get(listener.trust or ""))
        yield from _asymmetric(listener, own)


def _unfit(
    listener: Ingress | Egress, own: list[Identity], trust: Trust | IdentityError | None
) -> Iterator[Finding]:
    """A start refuses these, with their lines."""
    for identity in own:
        try:
            check_own(identity, listener.profile)
        except IdentityError as error:
            yield failure(_NAME, f"{listener.name}: {error}", error.fix)
    if isinstance(trust, Trust):
        try:
            narrowed(trust, listener.profile, listener.authentication)
        except IdentityError as error:
            yield failure(_NAME, f"{listener.name}: {error}", error.fix)


def _asymmetric(listener: Ingress | Egress, own: list[Identity]) -> Iterator[Finding]:
    """Peers are most often told the same as we are: then nobody must be refused by both."""
    demand = listener.authentication
    if not own or any(satisfies(identity, demand) for identity in own):
        return
    peers = "clients" if isinstance(listener, Ingress) else "servers"
    yield warning(
        _NAME,
        f"{listener.name}: demands {demand} of {peers}, and shows nothing that would satisfy it:"
        " who demands the same of us refuses us",
        f"add an identity of pqproxy certs issue --algorithm {PEER_ALGORITHMS[demand]}",
    )
