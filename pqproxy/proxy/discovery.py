"""What a handshake in which an egress offered pqproxy/1 tells of the server: is it a sidecar?

A server that cannot go on with such an offer is tried once more without, with the same groups:
nothing but the protocol may ever be taken back. So whoever forges a refusal brings about no more
than a TLS connection for each client connection. How long the answer holds is for others to know.
"""

from enum import Enum, auto

from pqproxy.tls import AlertDescription, Failed, Negotiated
from pqproxy.tunnel import TUNNEL_PROTOCOL


class Found(Enum):
    """What the connection is good for."""

    TUNNEL = auto()  # it is one, as soon as the server has let us in
    PLAIN = auto()  # the server speaks none: for a client, as it is
    NEITHER = auto()  # for nothing: the server is to be tried once more without


def judge_completed(negotiated: Negotiated) -> Found:
    """What was found in a handshake that is done."""
    if negotiated.alpn_protocol != TUNNEL_PROTOCOL:
        return Found.PLAIN
    # It asks for a certificate and was shown none. Who comes through a tunnel must show one even
    # where others need not, so it is about to refuse us.
    return Found.NEITHER if negotiated.unmet_request else Found.TUNNEL


def judge_failed(failure: Failed | None) -> Found | None:
    """What was found in one that failed; None: it failed for another reason, and so would again."""
    refused = AlertDescription.NO_APPLICATION_PROTOCOL
    if failure is None or not failure.by_peer or failure.alert != refused:
        return None
    return Found.NEITHER
