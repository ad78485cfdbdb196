from dataclasses import fields, replace

import pytest

from pqproxy import tls
from pqproxy.config import values
from pqproxy.config.values import ConnectionLimits, Policy, TcpAddress, Timeouts
from pqproxy.identity.own import Identity
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.identity.trust import Trust
from pqproxy.proxy.resumption import binding_of, remembered_identity
from tests.support import pki

from .sidecars import MESH, ROOT

LISTEN, FORWARD = TcpAddress("", 8443), TcpAddress("127.0.0.1", 8000)
INGRESS = values.Ingress("llm", LISTEN, FORWARD, ("own",), "mesh", allow=("spiffe://corp/a",))
HARMLESS = {
    "timeouts": Timeouts(connect=1.0),
    "limits": ConnectionLimits(connections=1),
    "padding": None,
}


def test_the_same_settings_make_the_same_binding_in_every_worker():
    again = Trust.load(values.TrustFiles("mesh", (ROOT.certificate_pem,), "mesh"))

    assert binding_of(INGRESS, MESH) == binding_of(replace(INGRESS), again)
    assert len(binding_of(INGRESS, MESH)) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"policy": Policy.PREFER},
        {"allow": ("spiffe://corp/a", "spiffe://corp/b")},
        {"allow": ()},
        {"groups": ("x25519",)},
        {"client_auth": values.ClientAuth.REQUEST},
        {"authentication": values.PeerAuthentication.HYBRID},
        {"authentication": values.PeerAuthentication.POST_QUANTUM},
        {"code_points": (("mldsa65-ecdsa-p256", 0xFE90),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_could_make_it_judge_otherwise_makes_another_binding(change):
    assert binding_of(replace(INGRESS, **change), MESH) != binding_of(INGRESS, MESH)


def test_another_root_or_none_makes_another_binding():
    roots = (ROOT.certificate_pem, pki.root("ecdsa-p256", "other").certificate_pem)
    more = Trust.load(values.TrustFiles("mesh", roots, "mesh"))

    assert len({binding_of(INGRESS, trust) for trust in (MESH, more, None)}) == 3


def test_a_certificate_that_was_replaced_makes_another_binding():
    """Whoever resumes would not see the new one, maybe for hours after the old key was lost."""
    first, renewed = (
        Identity.load(ROOT.issue(label=label).files("own"), pki.NOW) for label in ("one", "other")
    )

    assert binding_of(INGRESS, MESH, [first]) == binding_of(INGRESS, MESH, [first])
    assert len({binding_of(INGRESS, MESH, own) for own in ([first], [renewed], [])}) == 3


def test_what_surely_cannot_leaves_it_as_it_is():
    assert binding_of(replace(INGRESS, **HARMLESS), MESH) == binding_of(INGRESS, MESH)


def test_every_key_counts_that_nobody_called_harmless():
    """One that is added some day must not be forgotten."""
    shown = repr(replace(INGRESS, **HARMLESS))

    for field in fields(INGRESS):
        assert f"{field.name}=" in shown


def test_who_resumes_is_who_proved_it():
    peer = PeerIdentity(("spiffe://corp/a",), (), (), "CN=a", Purpose.CLIENT, True, 2000.0)
    proof = tls.Authentication.made((b"leaf",), peer.encode(), 1000, peer.not_after)

    assert remembered_identity(proof) == peer
    assert remembered_identity(tls.Authentication.made((), b"", 1000)) is None
    assert remembered_identity(None) is None
