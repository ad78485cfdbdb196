import pytest

from pqproxy.config.checks import check
from pqproxy.config.document import Document
from pqproxy.config.environment import PolicySource
from pqproxy.config.validation import validate
from pqproxy.config.values import Policy, PolicyOrigin

BASE = {
    "version": 1,
    "identities": {"hybrid": {"certificate": "c", "key": "k"}},
    "trust": {"mesh": {"roots": ["r"]}},
}
INGRESS = {
    "name": "llm",
    "listen": ":8443",
    "forward": "127.0.0.1:8000",
    "identities": ["hybrid"],
    "trust": "mesh",
    "allow": ["any-trusted"],
}
EGRESS = {
    "name": "out",
    "listen": "127.0.0.1:9000",
    "connect": ["llm.corp:8443"],
    "trust": "mesh",
}


SILENT = PolicySource()


def problems(policies=SILENT, **data):
    document = Document({**BASE, **data})
    file, _ = validate(document)
    found = check(file, document, policies)
    return [str(problem).partition(": ")[2] for problem in found]


def ingress(**changes):
    return problems(ingress=[{**INGRESS, **changes}])


def egress(**changes):
    return problems(egress=[{**EGRESS, **changes}])


def test_a_sound_pair_has_no_problems():
    assert problems(ingress=[INGRESS], egress=[EGRESS]) == []


def test_a_file_with_nothing_to_do_is_a_mistake():
    assert problems() == ["there is no ingress and no egress: nothing to do"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"identities": ["hybird"]},
            "identities.0: there is no hybird under identities, did you mean",
        ),
        ({"trust": "mash"}, "trust: there is no mash under trust, did you mean mesh"),
        ({"trust": None}, "trust: is missing: client_auth: require needs roots"),
        ({"allow": []}, "allow: is missing: list who may connect"),
        ({"client_auth": "none"}, "allow: has no effect with client_auth: none"),
        ({"client_auth": "none", "allow": []}, "client_auth: anyone who reaches :8443"),
        ({"client_auth": "request", "allow": []}, "client_auth: anyone who reaches :8443"),
        ({"client_auth": "request"}, "allow: does not hold for clients without a certificate"),
        (
            {"client_auth": "request", "listen": "127.0.0.1:1"},
            "allow: does not hold for clients without a certificate",
        ),
        (
            {"forward": "10.0.0.1:8000"},
            "forward: plaintext would leave this machine for 10.0.0.1:8000",
        ),
        ({"groups": ["X25519MLKEM768", "x25519"]}, "groups.1: x25519 is not post-quantum"),
        (
            {"groups": "cnsa2", "policy": "prefer"},
            "policy: prefer accepts classical peers, and groups: cnsa2 accepts none",
        ),
        (
            {"groups": "cnsa2", "authentication": "hybrid"},
            "authentication: hybrid takes composite keys only, and groups: cnsa2 takes ML-DSA-87",
        ),
        (
            {"authentication": "hybrid", "client_auth": "none", "allow": [], "listen": "[::1]:1"},
            "authentication: hybrid has no effect with client_auth: none",
        ),
        (
            {"authentication": "post-quantum", "client_auth": "request", "allow": []}
            | {"listen": "127.0.0.1:1"},
            "authentication: post-quantum does not hold for clients without a certificate",
        ),
        (
            {"groups": ["x25519", "secp256r1"]},
            "groups: names no post-quantum group: policy: prefer would accept that",
        ),
        (
            {"groups": ["x25519"], "policy": "observe"},  # require would refuse everybody
            "groups: names no post-quantum group: policy: prefer would accept that",
        ),
    ],
)
def test_an_unsafe_or_senseless_ingress_is_refused(changes, said):
    (problem,) = ingress(**changes)

    assert problem.startswith(f"ingress.0.{said}")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_auth": "none", "allow": [], "trust": None, "unsafe_anonymous": True},
        {"client_auth": "none", "allow": [], "listen": "127.0.0.1:1"},
        {"client_auth": "request", "unsafe_anonymous": True},
        {"client_auth": "request", "allow": [], "listen": "127.0.0.1:1"},
        {"forward": "10.0.0.1:8000", "unsafe_remote_plaintext": True},
        {"forward": "unix:model.sock"},
        {"groups": ["X25519MLKEM1024"]},
        {"groups": ["X25519MLKEM768", "x25519"], "policy": "observe"},
        {"groups": "cnsa2"},
        {"groups": "cnsa2", "policy": "require"},
        {"groups": "cnsa2", "authentication": "post-quantum"},
        {"authentication": "hybrid"},
        {"authentication": "hybrid", "client_auth": "request", "unsafe_anonymous": True},
        {"groups": ["X25519MLKEM768", "x25519"], "policy": "prefer"},
        {"groups": ["x25519"], "policy": "prefer"},  # a test, or a migration, may want just that
    ],
)
def test_what_is_safe_or_said_to_be_wanted_passes(changes):
    assert ingress(**changes) == []


@pytest.mark.parametrize(
    ("code_points", "said"),
    [
        ({"mldsa65-ecdsa-p256": "0x0905"}, None),  # said by the leaf, and not once more
        ({"mldsa65-p256": 0xFE90}, "mldsa65-p256: mldsa65-p256 is no composite kind of key, did"),
        ({"mldsa65-ecdsa-p256": 0xFE49}, "mldsa65-ecdsa-p256: 0xFE49 stands for mldsa87-ecdsa"),
    ],
)
def test_a_code_point_that_would_mislead_is_refused(code_points, said):
    found = problems(ingress=[INGRESS], code_points=code_points)

    assert [one.startswith(f"code_points.{said}") for one in found] == ([True] if said else [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"listen": ":9000"}, "listen: other machines could send plaintext here"),
        ({"connect": ["a:1", "b:1", "a:1"]}, "connect.2: a:1 is listed already"),
        ({"connect": ["unix:/x"]}, "expect: is missing: a unix socket has no host name to expect"),
        ({"trust": "mash"}, "trust: there is no mash under trust, did you mean mesh"),
    ],
)
def test_an_unsafe_or_senseless_egress_is_refused(changes, said):
    (problem,) = egress(**changes)

    assert problem.startswith(f"egress.0.{said}")


def test_an_egress_may_have_several_servers():
    assert egress(connect=["a:1", "a:2", "b:1", "unix:/x"], expect=["spiffe://corp/llm"]) == []


def test_the_policy_that_holds_decides_over_groups():
    """A classical group needs `prefer`, whoever said it."""
    entry = {**INGRESS, "groups": ["X25519MLKEM768", "x25519"]}
    environment = PolicySource(Policy.PREFER, PolicyOrigin.ENVIRONMENT)

    assert problems(environment, ingress=[entry]) == []
    assert problems(environment, ingress=[{**entry, "policy": "require"}]) != []


def test_two_listeners_cannot_share_a_name():
    assert problems(ingress=[INGRESS], egress=[{**EGRESS, "name": "llm"}]) == [
        "egress.0.name: llm is the name of ingress.0 too"
    ]


def test_two_listeners_cannot_share_an_address():
    assert problems(ingress=[INGRESS], health={"listen": "127.0.0.1:8443"}) == [
        "health.listen: 127.0.0.1:8443 is taken by ingress.0 already"
    ]


def test_control_is_for_this_machine_only():
    assert problems(ingress=[INGRESS], control={"listen": ":1"}) == [
        "control.listen: :1 is open to other machines: use unix:… or loopback"
    ]


def test_a_probe_must_know_whose_upstream_it_asks():
    second = {**INGRESS, "name": "second", "listen": ":8444"}
    health = {"listen": ":9901", "probes": {"model": "/health"}, "upstream_metrics": "/metrics"}

    assert problems(ingress=[INGRESS], health=health) == []
    assert problems(egress=[EGRESS], health={"listen": ":9901"}) == []
    assert problems(ingress=[INGRESS, second], health=health) == [
        "health.probes: needs one ingress, whose upstream is asked; there are 2",
        "health.upstream_metrics: needs one ingress, whose upstream is asked; there are 2",
    ]


def test_health_may_be_open_to_other_machines():
    assert problems(ingress=[INGRESS], health={"listen": ":9901"}) == []


def test_names_of_identities_are_names():
    identities = {**BASE["identities"], "a b": {"certificate": "c", "key": "k"}}

    (problem,) = problems(ingress=[INGRESS], identities=identities)

    assert problem.startswith("identities.a b: a b is not a name")


@pytest.mark.parametrize(
    "data",
    [
        {"ingress": [{**INGRESS, key: {}}]} for key in INGRESS
    ]
    + [
        {"egress": [{**EGRESS, key: {}}]} for key in EGRESS
    ]
    + [
        {"ingress": 7, "egress": 7},
        {"ingress": [None]},
        {"ingress": [INGRESS], "identities": 7},
        {"ingress": [INGRESS], "trust": 7},
        {"ingress": [INGRESS], "control": {"listen": 7}},
        {"ingress": [INGRESS], "control": 7, "health": 7},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_broken_is_not_reported_twice(data):
    """Each of these has a mistake that validation reports; nothing may follow from it."""
    assert problems(**data) == []
