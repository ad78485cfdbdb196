"""Both sides prove themselves with composite certificates; one half without the other is nothing.

The chains are judged as a proxy judges them, by a trust set up to and including its root.
"""

from dataclasses import replace

import pytest

from pqproxy.crypto.composite_keys import COMPOSITES, CompositePrivateKey
from pqproxy.identity.errors import Refused
from pqproxy.identity.peer import Purpose
from pqproxy.identity.trust import Trust
from pqproxy.tls import AlertDescription, ClientAuthentication, Verdict
from pqproxy.tls.codepoints import SignatureScheme
from tests.support import pki
from tests.support.hostile import GROUPS
from tests.support.loopback import Endpoint, pump

KINDS = {each.key_algorithm: each for each in COMPOSITES}
SIDES = (Purpose.CLIENT, Purpose.SERVER)
HYBRID = frozenset(KINDS)
each_kind = pytest.mark.parametrize("kind", KINDS)
NAMES = {
    Purpose.SERVER: {"name": "server", "uris": ("spiffe://corp/server",)},
    Purpose.CLIENT: {"name": "client", "uris": ("spiffe://corp/client",)},
}


def leaf(kind, purpose, root=None):
    """Below an intermediate, as most are."""
    authority = (root or pki.root(kind)).intermediate(algorithm=kind)
    return authority.issue(**NAMES[purpose])


def judge_with(trust, purpose, seen):
    """What a proxy does with a chain; who came, or why not, is in `seen`."""

    def judge(event):
        try:
            peer = trust.verify(event.chain, purpose, pki.NOW)
        except Refused as refused:
            seen.append(refused)
            return Verdict.reject(AlertDescription[refused.alert.upper()], refused.detail)
        seen.append(peer.name)
        return Verdict.accept()

    return judge


def meeting(server_leaf, client_leaf, trust):
    """Client, server, and what each of them saw of the other."""
    by_client, by_server = [], []
    client = Endpoint.client(
        client_leaf, groups=GROUPS, judge=judge_with(trust, Purpose.SERVER, by_client)
    )
    server = Endpoint.server(
        server_leaf,
        groups=GROUPS,
        client_authentication=ClientAuthentication.REQUIRE,
        judge=judge_with(trust, Purpose.CLIENT, by_server),
    )
    pump(client, server)
    return client, server, by_client, by_server


def trust_in(*roots):
    return Trust.load(pki.trust_files(*roots)).only(HYBRID)


@each_kind
def test_both_sides_authenticate_with_both_halves_and_data_flows(kind):
    client, server, by_client, by_server = meeting(
        leaf(kind, Purpose.SERVER), leaf(kind, Purpose.CLIENT), trust_in(pki.root(kind))
    )
    client.send(b"question")
    pump(client, server)

    assert (by_client, by_server) == (["spiffe://corp/server"], ["spiffe://corp/client"])
    assert bytes(server.received) == b"question"
    scheme = SignatureScheme[kind.replace("-", "_")]
    assert client.negotiated.peer_signature_scheme == scheme
    assert server.negotiated.peer_signature_scheme == scheme


def test_the_two_sides_may_have_keys_of_different_composite_kinds():
    (one, other, *_), roots = KINDS, [pki.root(kind) for kind in KINDS]

    _client, server, by_client, by_server = meeting(
        leaf(one, Purpose.SERVER), leaf(other, Purpose.CLIENT, pki.root(other)), trust_in(*roots)
    )

    assert server.handshake_complete
    assert len(by_client) == len(by_server) == 1


def with_half_of_another(leaf, half):
    """The same certificate, and a key whose one half is not the one that was certified."""
    own, other = leaf.key, leaf.key.algorithm.generate()
    halves = {"ml_dsa": own.ml_dsa, "traditional": own.traditional, half: getattr(other, half)}
    return replace(leaf, key=CompositePrivateKey(own.algorithm, **halves))


@pytest.mark.parametrize("half", ["ml_dsa", "traditional"])
@pytest.mark.parametrize("liar", SIDES)
@each_kind
def test_one_wrong_half_in_certificate_verify_is_decrypt_error_and_named(kind, liar, half):
    """The peer learns the alert; which half it was is for the operator."""
    leaves = {purpose: leaf(kind, purpose) for purpose in SIDES}
    leaves[liar] = with_half_of_another(leaves[liar], half)

    client, server, by_client, by_server = meeting(
        leaves[Purpose.SERVER], leaves[Purpose.CLIENT], trust_in(pki.root(kind))
    )

    judging, lying = (server, client) if liar is Purpose.CLIENT else (client, server)
    name = getattr(KINDS[kind], half).name
    assert judging.failure.alert == AlertDescription.DECRYPT_ERROR
    assert f"the {name} half does not verify" in judging.failure.reason
    assert judging.failure.reason.count("half verifies") == 1
    assert (lying.failure.alert, lying.failure.by_peer) == (AlertDescription.DECRYPT_ERROR, True)
    assert name not in lying.failure.reason
    assert not (by_server if liar is Purpose.CLIENT else by_client)  # no chain was judged


@pytest.mark.parametrize("half", ["ml_dsa", "traditional"])
def test_one_wrong_half_in_the_chain_is_bad_certificate_and_named(half):
    kind = next(iter(KINDS))
    impostor = pki.root(kind)
    impostor = replace(impostor, key=with_half_of_another(impostor, half).key)
    below = replace(leaf(kind, Purpose.SERVER), key=pki.key(kind, "server"))
    forged = pki.edited(below.certificates[1], lambda tbs: None, impostor.key)
    server_leaf = replace(below, certificates=(below.certificate, forged))

    client, server, by_client, _by_server = meeting(
        server_leaf, leaf(kind, Purpose.CLIENT), trust_in(pki.root(kind))
    )

    (refused,) = by_client
    assert f"the {getattr(KINDS[kind], half).name} half does not verify" in refused.detail
    assert client.failure.alert == server.failure.alert == AlertDescription.BAD_CERTIFICATE


@pytest.mark.parametrize("weak", ["ecdsa-p256", "mldsa65"])
@pytest.mark.parametrize("place", ["leaf", "intermediate", "root"])
def test_where_hybrid_is_asked_for_no_part_of_a_chain_is_less(place, weak):
    kind = next(iter(KINDS))
    strong, weak_root = pki.root(kind), pki.root(weak, name="weak")
    name = NAMES[Purpose.SERVER]
    chain = {
        "leaf": lambda: strong.issue(**name, algorithm=weak),
        "intermediate": lambda: strong.intermediate(algorithm=weak).issue(**name),
        "root": lambda: weak_root.issue(**name),
    }[place]()

    client, _server, by_client, _by_server = meeting(
        chain, leaf(kind, Purpose.CLIENT), trust_in(strong, weak_root)
    )

    (refused,) = by_client
    assert refused.reason == "weak_authentication"
    assert f"key of type {weak}" in refused.detail
    assert "--algorithm mldsa65-ecdsa-p256" in refused.fix
    assert client.failure.alert == AlertDescription.UNSUPPORTED_CERTIFICATE
