import asyncio

import pytest

from pqproxy.checking.demands import check_demands
from pqproxy.checking.findings import Level
from pqproxy.checking.run import Consent, check
from tests.support import pki
from tests.unit.checking.subjects import SERVER

COMPOSITE = "mldsa65-ecdsa-p256"
FAILURE = Level.FAILURE


def found(subject):
    return list(check_demands(subject))


@pytest.mark.parametrize(
    ("algorithm", "said"),
    [
        (COMPOSITE, "peers that demand hybrid or post-quantum take it"),
        ("mldsa65", "peers that demand post-quantum take it, not those that demand hybrid"),
        ("ecdsa-p256", "for standard peers"),
    ],
)
def test_an_identity_is_told_who_takes_it(place, algorithm, said):
    place.root = pki.root(algorithm)
    place.write("root.crt", place.root.certificate_pem)
    place.identity("server", uris=(SERVER,))

    (one,) = found(place.subject())

    assert one.level is Level.GOOD
    assert one.message.startswith(f"identity server: {said}")


def test_a_composite_key_below_another_kind_of_authority_satisfies_nobody(place):
    """The demand is for every key of the path, up to and including the root's."""
    place.identity("server", uris=(SERVER,), algorithm=COMPOSITE)

    (one,) = found(place.subject())

    assert "for standard peers" in one.message


@pytest.mark.parametrize("role", ["ingress", "egress"])
@pytest.mark.parametrize("demand", ["hybrid", "post-quantum"])
def test_a_demand_that_no_peer_can_satisfy_fails_here_as_at_the_start(place, role, demand):
    """Who runs the check before the start wants to know then."""
    refused = [
        one for one in found(place.subject(role, authentication=demand)) if one.level is FAILURE
    ]

    (one,) = refused
    assert one.message.startswith("llm: trust mesh: holds no root with a key of type")
    assert one.hint.startswith("add the root that signs the peers' ")


def test_certificates_that_the_profile_does_not_take_fail_here_as_at_the_start(place):
    subject = place.subject(groups="cnsa2")

    messages = [one.message for one in found(subject) if one.level is FAILURE]

    assert [message.split(":")[1] for message in messages] == [" identity server", " trust mesh"]


@pytest.mark.parametrize("role", ["ingress", "egress"])
def test_who_demands_more_than_it_shows_is_warned(place, role):
    """The other side is most often told the same, and would refuse us."""
    roots = pki.root(COMPOSITE).certificate_pem + place.root.certificate_pem
    place.write("root.crt", roots)

    *_, warned = found(place.subject(role, authentication="hybrid"))

    assert warned.level is Level.WARNING
    assert warned.message.startswith("llm: demands hybrid of ")
    assert warned.hint == f"add an identity of pqproxy certs issue --algorithm {COMPOSITE}"


def test_a_listener_that_shows_what_it_demands_is_not(place):
    place.root = pki.root(COMPOSITE)
    place.write("root.crt", place.root.certificate_pem)
    place.identity("server", uris=(SERVER,))

    assert [one.level for one in found(place.subject(authentication="hybrid"))] == [Level.GOOD]


def test_it_is_part_of_the_certificates(place):
    report = asyncio.run(check(place.subject(), Consent(peers=False)))
    (section,) = [one for one in report.sections if one.name == "certificates"]

    assert "authentication" in {finding.name for finding in section.findings}
