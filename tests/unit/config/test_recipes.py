from dataclasses import replace

from pqproxy.config.recipes import recipes
from pqproxy.config.values import (
    Egress,
    IdentityFiles,
    Ingress,
    Settings,
    TcpAddress,
    TrustFiles,
)

HERE = TcpAddress("127.0.0.1", 8443)
OWN = IdentityFiles("own", b"certificate", b"key", "own.pem")
OTHER = IdentityFiles("other", b"certificate", b"key", "other.pem")
MESH = TrustFiles("mesh", (b"root",), "mesh.pem")
SETTINGS = Settings(
    identities=(OWN, OTHER),
    trust=(MESH,),
    ingress=(Ingress("llm", HERE, HERE, ("own",), "mesh"), Ingress("open", HERE, HERE, (), None)),
    egress=(Egress("to-llm", HERE, (HERE,), ("other",), "mesh", ("llm.test",)),),
)


def changed(**changes):
    """Which listeners have another recipe than before."""
    before, after = recipes(SETTINGS), recipes(replace(SETTINGS, **changes))
    return {name for name in before if before[name] != after[name]}


def test_every_listener_has_its_recipe():
    assert list(recipes(SETTINGS)) == ["llm", "open", "to-llm"]


def test_what_a_name_stands_for_is_part_of_it():
    """A certificate that was exchanged under the same path must reach its listeners."""
    renewed = replace(OWN, certificate=b"renewed")

    assert changed(identities=(renewed, OTHER)) == {"llm"}


def test_roots_change_those_who_trust_them():
    assert changed(trust=(replace(MESH, roots=(b"root", b"another")),)) == {"llm", "to-llm"}


def test_the_provider_is_everybodys():
    assert changed(provider="auto") == {"llm", "open", "to-llm"}


def test_what_no_listener_uses_changes_none():
    assert (
        changed(workers=2, control=HERE, trust=(*SETTINGS.trust, replace(MESH, name="x"))) == set()
    )


def test_a_recipe_does_not_show_the_key():
    assert "key'" not in repr(recipes(SETTINGS))
