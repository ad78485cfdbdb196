"""Examines signatures of content: cheap questions first, and each answered apart.

The content is read last, and only where everything before it is good: what nobody signed says
nothing of what content should be, and a stranger should not make us read 50 GB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from pqproxy.config.values import PeerAuthentication, Profile
from pqproxy.crypto.keys import key_algorithm
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError, Refused
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.identity.profile import narrowed
from pqproxy.identity.trust import Trust
from pqproxy.signing.algorithms import BY_NAME
from pqproxy.signing.clock import moment
from pqproxy.signing.content import Content, digest
from pqproxy.signing.envelope import Envelope
from pqproxy.signing.errors import MalformedSignature
from pqproxy.signing.statement import Statement
from pqproxy.signing.verdict import Check, Finding, NotVerified, Verdict


def verify(
    content: Content,
    signature: bytes,
    trust: Trust,
    expect: Iterable[str],
    *,
    authentication: PeerAuthentication = PeerAuthentication.HYBRID,
    at: datetime | None = None,
) -> Verdict:
    """Return the verdict where it is good, and raise NotVerified, which holds it, where it is not.

    So whoever forgets to look at what is returned is not deceived. See `examine`.
    """
    verdict = examine(content, signature, trust, expect, authentication=authentication, at=at)
    if not verdict:
        raise NotVerified(verdict)
    return verdict


def examine(
    content: Content,
    signature: bytes,
    trust: Trust,
    expect: Iterable[str],
    *,
    authentication: PeerAuthentication = PeerAuthentication.HYBRID,
    at: datetime | None = None,
) -> Verdict:
    """Say of a signature file whether one of `expect` signed `content`, and what is wrong if not.

    `expect` holds identity patterns; `at` is the time at which certificates must be valid, by
    default now. Raises IdentityError for a pattern that is malformed, ValueError for a time without
    a zone, OSError and ContentChanged where the content cannot be read; nothing that `signature`
    may hold raises anything.
    """
    patterns, when = IdentityPatterns.parse(expect), moment(at)
    try:
        envelope = Envelope.read(bytes(signature))
    except MalformedSignature as error:
        return Verdict((Finding(Check.FORMAT, False, str(error)),))
    examination = _Examination(envelope, trust, patterns, authentication, when)
    findings = [Finding(Check.FORMAT, True, "a signature file of version 1")]
    findings += examination.signature()
    signer, judged = examination.signer()
    findings += judged
    if all(finding.good for finding in findings):
        findings.append(_content(content, envelope.statement))
    return Verdict(tuple(findings), envelope.statement, signer)


@dataclass(frozen=True, slots=True)
class _Examination:
    envelope: Envelope
    trust: Trust
    patterns: IdentityPatterns
    authentication: PeerAuthentication
    when: datetime

    def signature(self) -> Iterator[Finding]:
        """Both halves, each for itself."""
        statement = self.envelope.statement
        try:
            key = certificate_key(x509.load_der_x509_certificate(self.envelope.chain[0]))
            kind = key_algorithm(key)
        except MALFORMED:
            yield Finding(Check.SIGNATURE, False, "the key of its certificate does not parse")
            return
        algorithm = BY_NAME.get(statement.algorithm)
        if algorithm is None or algorithm.key_algorithm != kind:
            text = f"its algorithm, {statement.algorithm}, is none of a key of type {kind}"
            yield Finding(Check.SIGNATURE, False, text)
            return
        halves = algorithm.halves(key, self.envelope.signature, statement.write())
        for name, good in halves.items():
            text = f"{name} {'verifies' if good else 'does not verify'}"
            yield Finding(Check.SIGNATURE, good, text, subject=name)

    def signer(self) -> tuple[PeerIdentity | None, list[Finding]]:
        """Who signed, as far as roots vouch for it, and whether that is who was expected."""
        try:
            signer = self._verified(self.trust)
        except Refused as refused:
            return None, [Finding(Check.CERTIFICATE, False, refused.detail, refused.fix)]
        text = f"the certificate of {signer.name} is trusted"
        trusted = Finding(Check.CERTIFICATE, True, text)
        signer, kinds = self._by_permitted_keys(signer)
        return signer, [trusted, kinds, self._expected(signer)]

    def _by_permitted_keys(self, signer: PeerIdentity) -> tuple[PeerIdentity, Finding]:
        """Whether every key, the root's included, is of a kind that is permitted.

        Who signs is then what a root with such a key vouches for, not any other of the set.
        """
        wanted, check = self.authentication, Check.AUTHENTICATION
        if wanted is PeerAuthentication.ANY:
            return signer, Finding(check, True, "any kind of key may sign")
        try:
            found = self._verified(narrowed(self.trust, Profile.DEFAULT, wanted))
        except Refused as refused:
            return signer, Finding(check, False, refused.detail, refused.fix)
        except IdentityError as error:  # no root is left
            return signer, Finding(check, False, str(error), error.fix)
        return found, Finding(check, True, f"every key up to the root is {wanted}")

    def _verified(self, trust: Trust) -> PeerIdentity:
        return trust.verify(self.envelope.chain, Purpose.SIGNER, self.when)

    def _expected(self, signer: PeerIdentity) -> Finding:
        try:
            self.patterns.check(signer)
        except Refused as refused:
            return Finding(Check.IDENTITY, False, refused.detail, refused.fix)
        return Finding(Check.IDENTITY, True, f"{signer.name} is expected")


def _content(content: Content, statement: Statement) -> Finding:
    wanted = statement.size
    if isinstance(content, Path) and content.is_file() and content.stat().st_size != wanted:
        return _other_size(content.stat().st_size, wanted)
    found = digest(content, limit=wanted)
    if found.size > wanted:
        return Finding(Check.CONTENT, False, f"there are more bytes than the {wanted} signed")
    if found.size < wanted:
        return _other_size(found.size, wanted)
    if found.sha512 != statement.content:
        return Finding(Check.CONTENT, False, "the bytes are not those that were signed")
    return Finding(Check.CONTENT, True, f"these are the {wanted} bytes that were signed")


def _other_size(found: int, wanted: int) -> Finding:
    return Finding(Check.CONTENT, False, f"there are {found} bytes, not the {wanted} signed")
