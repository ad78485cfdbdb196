"""Who a verified peer is."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum

from pqproxy.identity.names import CertificateNames


class Purpose(StrEnum):
    """The role in which a peer presents its certificate."""

    CLIENT = "client"
    SERVER = "server"
    SIGNER = "signer"  # of content, in a signature file


@dataclass(frozen=True, slots=True)
class PeerIdentity(CertificateNames):
    """A peer whose certificate chain was verified.

    Only `Trust.verify` makes one; what was written down of it is read back after a resumption.
    """

    purpose: Purpose
    trust_domain_vouched: bool  # the root that signed it declares the trust domain of its SPIFFE ID
    not_after: float = math.inf  # unix seconds: when the first certificate of its path ends

    def encode(self) -> bytes:
        """Everything but the end, to be sealed or kept by ourselves: see `decode`."""
        names = (self.uris, self.dns_names, self.ip_addresses, self.subject)
        fields = (*names, self.purpose, self.trust_domain_vouched)
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes, not_after: float) -> "PeerIdentity":
        """Read what `encode` wrote, and nobody else could have."""
        fields = json.loads(data)
        uris, dns_names, ip_addresses, subject, purpose, vouched = fields
        return cls(
            tuple(uris),
            tuple(dns_names),
            tuple(ip_addresses),
            subject,
            Purpose(purpose),
            vouched,
            not_after,
        )
