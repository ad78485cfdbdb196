"""Trust: a named set of roots, and what a chain must be to reach one of them.

Paths are built and signatures checked by `path_library`, or by `path_validation` where there is a
composite key, which no library knows. Names are then compared by `IdentityPatterns`, never here.

How SPIFFE IDs are bound to roots: a root declares its trust domain by a URI SAN without a path
(`spiffe://corp`). Such a root signs IDs of that domain alone, and no other root of the set may
sign them. A root that declares nothing may sign IDs of any domain no root of its set declares,
and those are permitted only by a pattern with the literal trust domain (see `patterns`).
Organisations that must not speak for each other belong in different trust sets.
"""

import hashlib
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime

from cryptography import x509
from cryptography.x509.verification import Store, VerificationError

from pqproxy.config.values import TrustFiles
from pqproxy.crypto.keys import key_algorithm
from pqproxy.crypto.peer_certificates import TooLarge, read_certificate
from pqproxy.crypto.spki import certificate_key
from pqproxy.crypto.x509_verification import involves_composite
from pqproxy.identity.diagnosis import (
    Evidence,
    explain,
    explain_rule,
    malformed,
    other_key,
    unfit_key,
)
from pqproxy.identity.errors import (
    BAD_CERTIFICATE,
    CERTIFICATE_REQUIRED,
    IdentityError,
    Refused,
)
from pqproxy.identity.judgements import Judgements
from pqproxy.identity.names import (
    MALFORMED,
    CertificateNames,
    SpiffeId,
    is_spiffe,
    read_names,
)
from pqproxy.identity.path_library import validate_path_by_library
from pqproxy.identity.path_rules import LEADS_NOWHERE, RuleBroken
from pqproxy.identity.path_validation import Anchors, validate_path
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.identity.pem import is_self_issued
from pqproxy.identity.revocation import Revocations, identify
from pqproxy.identity.roots import Root, read_roots
from pqproxy.telemetry.reasons import ReasonCode

MAX_CERTIFICATES = 6  # as many as one Certificate message may hold


@dataclass(frozen=True, slots=True)
class Trust:
    """The roots of one trust set. Immutable: verification may run on any thread."""

    name: str
    roots: tuple[Root, ...]
    digest: bytes  # of all that it was made from: another one may judge otherwise
    revocations: Revocations
    _fit: tuple[x509.Certificate, ...]  # the roots that count
    _anchors: Anchors  # the same, for paths with composite keys
    _store: Store  # and for the library
    _kinds: frozenset[str] | None = None  # of the keys that a path may hold; None: any that is fit
    _judgements: Judgements = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin without judgements: a set that is made of another one has none of its."""
        roots = (root.certificate for root in self.roots)
        object.__setattr__(self, "_judgements", Judgements(roots))

    @classmethod
    def load(cls, files: TrustFiles) -> "Trust":
        """Read the roots. Raises IdentityError naming the block that is no usable root."""
        roots = read_roots(files)
        revocations = Revocations.load(files, roots)
        digest = _digest(files, revocations)
        fit = tuple(root.certificate for root in roots)
        return cls(files.name, roots, digest, revocations, fit, Anchors(fit), Store(list(fit)))

    def only(self, keys: frozenset[str]) -> "Trust":
        """Return a set that takes paths with these kinds of keys alone, the root's included.

        Each certificate is signed by the key above it, so these are its kinds of signatures too.
        The other roots verify nothing any more, and still keep their trust domains to themselves.
        Raises IdentityError when no root is left.
        """
        fit = tuple(root for root in self._fit if key_algorithm(certificate_key(root)) in keys)
        if not fit:
            kinds = " or ".join(sorted(keys))
            raise IdentityError(f"trust {self.name}: holds no root with a key of type {kinds}")
        kept = keys if self._kinds is None else keys & self._kinds
        return replace(self, _fit=fit, _anchors=Anchors(fit), _store=Store(list(fit)), _kinds=kept)

    def verify(self, chain: Sequence[bytes], purpose: Purpose, now: datetime) -> PeerIdentity:
        """Verify a chain (DER, leaf first, then issuers in any order) and say who the peer is.

        Raises Refused. Whether that peer is wanted is another question: `IdentityPatterns`.
        """
        identity = self._judgements.find(chain, purpose, now)
        if identity is None:
            identity = self._judge(chain, purpose, now)
        self.revocations.check(identity)
        return identity

    def _judge(self, chain: Sequence[bytes], purpose: Purpose, now: datetime) -> PeerIdentity:
        """Whose chain it is, revocations apart. Raises Refused."""
        certificates = _parse_chain(chain, purpose)
        leaf = certificates[0]
        # Before a signature is checked: an RSA key can be made so that this takes long.
        for certificate in certificates:
            _check_key(certificate, self._kinds)
        path = self._build_path(certificates, purpose, now)
        names = _names(leaf)
        identity = PeerIdentity(
            uris=names.uris,
            dns_names=names.dns_names,
            ip_addresses=names.ip_addresses,
            subject=names.subject,
            purpose=purpose,
            trust_domain_vouched=self._vouches(path[-1], names),
            not_after=min(certificate.not_valid_after_utc for certificate in path).timestamp(),
            path=identify(path[:-1]),
        )
        self._judgements.keep(chain, certificates, identity, now)
        return identity

    def _build_path(
        self, certificates: Sequence[x509.Certificate], purpose: Purpose, now: datetime
    ) -> list[x509.Certificate]:
        """Return the path from leaf to root. Raises Refused."""
        try:
            if any(map(involves_composite, certificates)):
                return validate_path(certificates, self._anchors, purpose, now)
            return validate_path_by_library(certificates, self._store, purpose, now)
        except (VerificationError, RuleBroken, *MALFORMED) as error:
            evidence = Evidence(tuple(certificates), self.roots, self.name, purpose, now)
            if not isinstance(error, RuleBroken) or error.rule in LEADS_NOWHERE:
                self._check_keys_above(evidence)
            if isinstance(error, RuleBroken):
                raise explain_rule(evidence, error) from None
            raise explain(evidence, str(error)) from None

    def _check_keys_above(self, evidence: Evidence) -> None:
        """Refuse a chain that leads to a root, but to one with a key that may not be there."""
        if self._kinds is None:
            return
        with suppress(*MALFORMED):  # `explain` will say so
            for certificate in evidence.path():
                _check_key(certificate, self._kinds)

    def _vouches(self, anchor: x509.Certificate, names: CertificateNames) -> bool:
        """Check the SPIFFE ID against the root; return whether that declares its domain."""
        spiffe_id = _spiffe_id(names)
        if spiffe_id is None:
            return False
        declared = {root.trust_domain for root in self.roots if root.certificate == anchor}
        if spiffe_id.trust_domain in declared:
            return True
        # A root that declares another domain, or a domain that another root declares.
        speakers = {root.trust_domain for root in self.roots}
        if declared != {None} or spiffe_id.trust_domain in speakers:
            raise malformed(
                f"{spiffe_id} is signed by a root that may not sign for the trust domain"
                f" {spiffe_id.trust_domain}",
                "issue it from the root that declares this trust domain,"
                " or give the root a trust set of its own",
            )
        return False


def _digest(files: TrustFiles, revocations: Revocations) -> bytes:
    """The same for the same lists, read just now or before, and long ones are not copied."""
    told = replace(files, crl=(), revoked=())
    lists = [(one.issuer, hashlib.sha256(one.serials).digest()) for one in revocations.lists]
    return hashlib.sha256(repr((astuple(told), lists)).encode()).digest()


def _parse_chain(chain: Sequence[bytes], purpose: Purpose) -> list[x509.Certificate]:
    if not chain:
        raise Refused(
            ReasonCode.NO_CLIENT_CERTIFICATE if purpose is Purpose.CLIENT else ReasonCode.UNTRUSTED,
            CERTIFICATE_REQUIRED if purpose is Purpose.CLIENT else BAD_CERTIFICATE,
            f"the {purpose} sent no certificate",
            f"give the {purpose} a certificate that a root of the trust set signed",
        )
    if len(chain) > MAX_CERTIFICATES:
        raise malformed(
            f"the chain has {len(chain)} certificates, at most {MAX_CERTIFICATES} are read",
            "send the leaf and its intermediates only",
        )
    read: list[x509.Certificate] = []
    try:
        for position, der in enumerate(chain):
            read.append(read_certificate(bytes(der), authority=position > 0))
        return _distinct(read)
    except TooLarge:
        raise malformed(
            f"certificate {len(read) + 1} of the chain is far too large",
            "issue it with fewer names and extensions",
        ) from None
    except MALFORMED:
        # The library's message may quote what the peer sent; that it does not parse is enough.
        raise malformed("a certificate does not parse", "issue the certificate again") from None


def _distinct(certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """Return the leaf and the issuers that can matter: no roots, no repeats.

    Six authorities of one name that sign each other make the path builder try 128 signatures,
    80 ms of work for a stranger's one handshake. With a name for each it is six at most.
    """
    # Of the leaf, too: whatever is said later names it, so its names must be readable.
    self_issued = {certificate: is_self_issued(certificate) for certificate in certificates}
    leaf, *rest = certificates
    issuers = [c for c in dict.fromkeys(rest) if not self_issued[c]]
    if len({c.subject for c in issuers}) != len(issuers):
        raise malformed(
            "the chain holds two different authorities of one name",
            "send one path only: the leaf, its issuer, and so on up to below the root",
        )
    return [leaf, *issuers]


def _check_key(certificate: x509.Certificate, kinds: Set[str] | None) -> None:
    """Refuse a key that no chain may hold, or that is of no kind that this one may.

    The path verifier does not judge the key of a leaf, and accepts some that we never offer.
    """
    try:
        algorithm = key_algorithm(certificate_key(certificate))
    except MALFORMED:
        algorithm = "unsupported"
    if algorithm == "unsupported":
        raise unfit_key(certificate)
    if kinds is not None and algorithm not in kinds:
        raise other_key(certificate, algorithm, kinds)


def _names(leaf: x509.Certificate) -> CertificateNames:
    try:
        return read_names(leaf)
    except MALFORMED:
        raise malformed(
            "the names in the certificate do not parse", "issue the certificate again"
        ) from None


def _spiffe_id(names: CertificateNames) -> SpiffeId | None:
    """Return the SPIFFE ID, if the certificate holds one: then it is the only URI."""
    if not any(map(is_spiffe, names.uris)):
        return None
    if len(names.uris) > 1:
        raise malformed(
            f"the certificate of {names.name} holds {len(names.uris)} URIs",
            "issue it with exactly one URI, its SPIFFE ID",
        )
    try:
        spiffe_id = SpiffeId.parse(names.uris[0])
    except ValueError as error:
        raise malformed(
            str(error), "issue it with an ID such as spiffe://corp/ns/apps/sa/llm"
        ) from None
    if not spiffe_id.segments:
        raise malformed(
            f"{spiffe_id} names a trust domain, not a peer",
            "issue it with a path, such as spiffe://corp/ns/apps/sa/llm",
        )
    return spiffe_id
