"""Who a verified peer is."""

import json
import math
from dataclasses import dataclass, field
from enum import StrEnum

from pqproxy.identity.names import CertificateNames


class Purpose(StrEnum):
    """The role in which a peer presents its certificate."""

    CLIENT = "client"
    SERVER = "server"
    SIGNER = "signer"  # of content, in a signature file


@dataclass(frozen=True, slots=True)
class CertificateId:
    """A certificate as revocation lists name it; small, since each open connection holds some."""

    issuer: bytes  # its name, hashed
    serial: int


@dataclass(frozen=True, slots=True)
class PeerIdentity(CertificateNames):
    """A peer whose certificate chain was verified.

    Only `Trust.verify` makes one; what was written down of it is read back after a resumption.
    """

    purpose: Purpose
    trust_domain_vouched: bool  # the root that signed it declares the trust domain of its SPIFFE ID
    not_after: float = math.inf  # unix seconds: when the first certificate of its path ends
    path: tuple[CertificateId, ...] = ()  # leaf first, up to below the root
    _written: bytes = field(default=b"", init=False, repr=False, compare=False)

    def encode(self) -> bytes:
        """Everything, to be sealed or kept by ourselves: see `decode`.

        Written once: who comes again is the same value (`judgements.py`).
        """
        if not self._written:
            object.__setattr__(self, "_written", self._write())
        return self._written

    def _write(self) -> bytes:
        names = (self.uris, self.dns_names, self.ip_addresses, self.subject)
        path = [(one.issuer.hex(), f"{one.serial:x}") for one in self.path]
        fields = (*names, self.purpose, self.trust_domain_vouched, self.not_after, path)
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> "PeerIdentity":
        """Read what `encode` wrote, and nobody else could have."""
        fields = json.loads(data)
        uris, dns_names, ip_addresses, subject, purpose, vouched, not_after, path = fields
        return cls(
            tuple(uris),
            tuple(dns_names),
            tuple(ip_addresses),
            subject,
            Purpose(purpose),
            vouched,
            not_after,
            tuple(CertificateId(bytes.fromhex(issuer), int(one, 16)) for issuer, one in path),
        )
