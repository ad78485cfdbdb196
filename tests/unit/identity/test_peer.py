import dataclasses

import pytest

from pqproxy.identity.peer import CertificateId, PeerIdentity, Purpose


def test_a_peer_is_immutable_and_has_the_name_of_its_certificate():
    peer = PeerIdentity(
        uris=(),
        dns_names=("a.test",),
        ip_addresses=(),
        subject="CN=a",
        purpose=Purpose.CLIENT,
        trust_domain_vouched=False,
    )

    assert peer.name == "a.test"
    with pytest.raises(dataclasses.FrozenInstanceError):
        peer.uris = ("spiffe://corp/admin",)


def test_a_peer_that_was_written_down_is_the_same_when_it_is_read():
    """That is who comes back with a ticket; a name may hold whatever a certificate may."""
    peer = PeerIdentity(
        uris=("spiffe://corp/ns/a/sa/b",),
        dns_names=("a.test", "b.test"),
        ip_addresses=("192.0.2.1",),
        subject='CN=\udc80\U0001f600,O="x"',
        purpose=Purpose.SERVER,
        trust_domain_vouched=True,
        not_after=1_800_000_000.5,
        path=(CertificateId(bytes(range(16)), 2**159 + 1), CertificateId(bytes(16), 0)),
    )

    assert PeerIdentity.decode(peer.encode()) == peer


def test_a_peer_that_never_ends_is_written_down_too():
    """JSON has no infinity; what reads it must be what wrote it."""
    peer = PeerIdentity((), ("a.test",), (), "CN=a", Purpose.CLIENT, False)

    assert PeerIdentity.decode(peer.encode()) == peer


def test_what_is_written_down_of_a_usual_peer_is_short():
    """It is in every ticket."""
    peer = PeerIdentity(
        uris=("spiffe://corp/ns/apps/sa/client",),
        dns_names=(),
        ip_addresses=(),
        subject="CN=client",
        purpose=Purpose.CLIENT,
        trust_domain_vouched=True,
        not_after=1_800_000_000.0,
        path=(CertificateId(bytes(16), 2**159),),
    )

    assert len(peer.encode()) < 190
