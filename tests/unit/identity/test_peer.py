import dataclasses

import pytest

from pqproxy.identity.peer import PeerIdentity, Purpose


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
