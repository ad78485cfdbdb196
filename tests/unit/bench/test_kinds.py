import pytest

from bench.kinds import KINDS, Parties
from pqproxy.crypto import key_algorithm


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_both_leaves_have_keys_of_the_kind_and_of_their_own(kind):
    parties = Parties.of(kind)

    (root,) = parties.trust.roots
    algorithms = {parties.server.key_algorithm, parties.client.key_algorithm}
    assert algorithms == {key_algorithm(kind.generate())}
    assert parties.server.chain != parties.client.chain
    assert kind.name in root.subject


def test_the_length_of_a_certificate_is_that_of_its_encoding():
    parties = Parties.of(KINDS[0])

    assert parties.certificate_length == len(parties.server.chain[0])
