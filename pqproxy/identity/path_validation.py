"""Certification paths in which a composite key takes part (RFC 5280 §6.1).

`cryptography` cannot verify these. Pure: certificates, roots, a purpose and a time go in; a path
comes out, or the one rule that was broken (`path_rules`). Whether the kinds of keys are wanted, and
what the names mean, is `trust`'s business.

What a stranger can make us compute is bounded: all that is cheap is checked first, then signatures
from the root down, so that no key is used before a root has vouched for it. A stranger's chain that
is right in all else costs one check, and no chain more than MAX_SIGNATURE_CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509

from pqproxy.crypto.errors import InvalidSignature
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.path_rules import (
    DEPTH,
    EFFORT,
    ISSUER,
    LOOP,
    MAX_INTERMEDIATES,
    PARSES,
    RULES,
    SIGNATURE,
    Place,
    RuleBroken,
    names_key_of,
)
from pqproxy.identity.peer import Purpose

MAX_SIGNATURE_CHECKS = 6


class Anchors:
    """Roots by their names: to write 150 of them anew for each step of a chain takes 1 ms."""

    def __init__(self, roots: Iterable[x509.Certificate]) -> None:
        self._by_name: dict[bytes, list[x509.Certificate]] = {}
        for root in roots:
            self._by_name.setdefault(root.subject.public_bytes(), []).append(root)

    def named(self, name: bytes) -> Sequence[x509.Certificate]:
        """Those with a name, in their order. As bytes: objects are equal in other string types."""
        return self._by_name.get(name, ())


def validate_path(
    certificates: Sequence[x509.Certificate],
    roots: Anchors,
    purpose: Purpose,
    now: datetime,
) -> list[x509.Certificate]:
    """Return the path from the leaf, which comes first, to a root.

    The others are issuers in any order, of which no two may have one name. Raises RuleBroken, of
    several paths for the one that got furthest.
    """
    check = _SignatureChecks()
    refusals = []
    try:
        for path in _paths(certificates, roots):
            try:
                places = _places(path, purpose, now)
                _check_rules(places)
                check.signatures_of(places)
            except RuleBroken as refusal:
                refusals.append(refusal)
            else:
                return path
    except RuleBroken as refusal:  # there are no more paths
        refusals.append(refusal)
    except MALFORMED:
        raise RuleBroken(PARSES, certificates[0]) from None
    raise max(refusals, key=lambda refusal: RULES.index(refusal.rule))


def _paths(
    certificates: Sequence[x509.Certificate], roots: Anchors
) -> Iterator[list[x509.Certificate]]:
    """Follow the names up, and yield a path for each root met. Raises RuleBroken at the end.

    No intermediate has two names above it, so this is a walk, not a search. Roots may share one:
    those with the key that the certificate names come alone, where there are any.
    """
    intermediates = {each.subject.public_bytes(): each for each in certificates[1:]}
    path = [certificates[0]]
    while True:
        last = path[-1]
        issuer = last.issuer.public_bytes()
        anchors = roots.named(issuer)
        fitting = [root for root in anchors if names_key_of(last, root)]
        yield from ([*path, root] for root in fitting or anchors[:1])
        above = intermediates.get(issuer)
        if above is None:
            raise RuleBroken(ISSUER, last)
        if above in path:
            raise RuleBroken(LOOP, above)
        if len(path) > MAX_INTERMEDIATES:
            raise RuleBroken(DEPTH, path[0])
        path.append(above)


def _places(path: Sequence[x509.Certificate], purpose: Purpose, now: datetime) -> list[Place]:
    """The same path, each certificate knowing the one above it."""
    places: list[Place] = []
    issuer = None
    for height, certificate in reversed(list(enumerate(path))):
        issuer = Place(certificate, issuer, height, purpose, now)
        places.insert(0, issuer)
    return places


def _check_rules(places: Sequence[Place]) -> None:
    for rule in RULES:
        for place in places:
            try:
                kept = rule.kept(place)
            except MALFORMED:
                raise RuleBroken(PARSES, place.certificate) from None
            if not kept:
                raise RuleBroken(rule, place.certificate)


class _SignatureChecks:
    """Checks each link once, however many paths it is part of, and not without end."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[x509.Certificate, x509.Certificate], RuleBroken | None] = {}

    def signatures_of(self, places: Sequence[Place]) -> None:
        """Raise RuleBroken for the topmost signature that does not verify."""
        for issuer, place in pairwise(reversed(places)):
            link = (place.certificate, issuer.certificate)
            if link not in self._verdicts:
                if len(self._verdicts) == MAX_SIGNATURE_CHECKS:
                    raise RuleBroken(EFFORT, places[0].certificate)
                self._verdicts[link] = _verdict(place, issuer)
            if (refusal := self._verdicts[link]) is not None:
                raise refusal


def _verdict(place: Place, issuer: Place) -> RuleBroken | None:
    try:
        place.signature.verify(issuer.key)
    except InvalidSignature as error:  # which half of a composite it was, for the operator
        return RuleBroken(SIGNATURE, place.certificate, str(error))
    return None
