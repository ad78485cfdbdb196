from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.signing.kinds import Authentication, permitted

HYBRID = {each.key_algorithm for each in COMPOSITES}
ML_DSA = {"mldsa44", "mldsa65", "mldsa87"}


def test_each_demand_permits_what_the_stronger_one_does():
    assert permitted(Authentication.HYBRID) == HYBRID
    assert permitted(Authentication.POST_QUANTUM) == HYBRID | ML_DSA
    assert permitted(Authentication.ANY) == HYBRID | ML_DSA | {"ecdsa-p256", "ecdsa-p384"}
