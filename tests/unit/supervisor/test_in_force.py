from pqproxy.supervisor.in_force import InForce
from tests.support import pki
from tests.unit.supervisor.harness import ingress, settings


def test_certificates_follow_the_settings():
    leaf = pki.root("ecdsa-p256").issue()
    in_force = InForce(settings())
    assert in_force.certificates == ()

    in_force.replace(settings(identities=(leaf.files("own"),)))
    assert [end.identity for end in in_force.certificates] == ["own"]


def test_a_listener_that_is_gone_is_remembered_and_listens_no_more():
    in_force = InForce(settings())
    in_force.replace(settings(ingress=(ingress("new"),)))

    assert in_force.roles == {"llm": "ingress", "new": "ingress"}
    assert (in_force.listens("llm"), in_force.listens("new")) == (False, True)
    assert in_force.listener("llm").name == "llm"


def test_who_holds_the_roles_sees_new_ones():
    """Handles of workers are made once and judge reports by them."""
    in_force = InForce(settings())
    roles = in_force.roles
    in_force.replace(settings(ingress=(ingress("new"),)))

    assert "new" in roles
