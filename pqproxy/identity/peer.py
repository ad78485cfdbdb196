"""Who a verified peer is."""

from dataclasses import dataclass
from enum import StrEnum

from pqproxy.identity.names import CertificateNames


class Purpose(StrEnum):
    """The role in which a peer presents its certificate."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class PeerIdentity(CertificateNames):
    """A peer whose certificate chain was verified. Only `Trust.verify` makes one."""

    purpose: Purpose
    trust_domain_vouched: bool  # the root that signed it declares the trust domain of its SPIFFE ID
