"""A benchmark that measures something else than it says is worse than none."""

import pytest

from bench.engines import Engines, HandshakeFailed, Setting
from bench.kinds import KINDS, Parties
from pqproxy.crypto import load_provider
from pqproxy.tls import NamedGroup

ECDSA = KINDS[0]
PARTIES, PROVIDER = Parties.of(ECDSA), load_provider()


def engines(parties=PARTIES, *, mutual=False, group=NamedGroup.X25519MLKEM768):
    return Engines(Setting("openssl", ECDSA, group, mutual), parties, PROVIDER)


def test_a_mutual_handshake_carries_the_clients_certificate_too():
    """Beyond the certificate: its message, its signature, and the request for them."""
    one_way, mutual = engines().full(), engines(mutual=True).full()

    certificate = PARTIES.certificate_length
    assert one_way.server.sent > certificate > one_way.client.sent - 1216  # the key share
    assert mutual.client.sent - one_way.client.sent > certificate
    assert mutual.server.sent > one_way.server.sent


def test_a_resumed_handshake_carries_no_certificate():
    measured = engines(mutual=True)

    full, resumed = measured.full(), measured.resumed()

    assert full.server.sent - resumed.server.sent > PARTIES.certificate_length
    assert full.client.sent - resumed.client.sent > 0


def test_resumption_can_go_on_and_on():
    """Each handshake gives the ticket of the next."""
    measured = engines()

    assert len({measured.resumed().client.sent for _ in range(3)}) == 1


def test_both_sides_cost_something():
    exchange = engines().full()

    assert exchange.client.cpu_seconds > 0
    assert exchange.server.cpu_seconds > 0


def test_a_chain_of_another_root_ends_the_run():
    """Chains are judged in earnest: else their verification would not be in the figures."""
    other = Parties.of(ECDSA)
    strangers = Parties(PARTIES.server, PARTIES.client, other.trust)

    with pytest.raises(HandshakeFailed):
        engines(strangers).full()


def test_a_handshake_without_tickets_cannot_be_resumed():
    with pytest.raises(HandshakeFailed, match="no tickets"):
        engines(group=NamedGroup.x25519).resumed()
