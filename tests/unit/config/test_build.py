from pathlib import Path

from pqproxy.config.build import build_settings
from pqproxy.config.document import Document
from pqproxy.config.environment import PolicySource
from pqproxy.config.groups import CLASSICAL, POST_QUANTUM
from pqproxy.config.validation import validate
from pqproxy.config.values import (
    ClientAuth,
    ConnectionLimits,
    Drain,
    Egress,
    Ingress,
    Log,
    PeerAuthentication,
    Policy,
    PolicyOrigin,
    Profile,
    Settings,
    TcpAddress,
    Timeouts,
    Tunnel,
    TunnelMode,
    UnixAddress,
)

INGRESS = {"name": "llm", "listen": ":1", "forward": "unix:m.sock", "identities": ["a"]}
EGRESS = {"name": "out", "listen": "127.0.0.1:2", "connect": ["llm.corp:3"], "trust": "mesh"}


SILENT = PolicySource()


def build(policies=SILENT, **data):
    file, problems = validate(Document({"version": 1, **data}))
    assert not problems
    return build_settings(file, Path("/etc/pq"), (), (), policies)


def test_an_empty_file_gives_the_defaults_of_the_values():
    """The defaults are written twice, in the schema and in the values: they must agree."""
    assert build() == Settings((), (), (), ())


def test_an_ingress_gives_the_defaults_of_the_values():
    assert build(ingress=[INGRESS]).ingress == (
        Ingress(
            name="llm",
            listen=TcpAddress("", 1),
            forward=UnixAddress("/etc/pq/m.sock"),
            identities=("a",),
            trust=None,
            groups=POST_QUANTUM,
        ),
    )


def test_an_egress_gives_the_defaults_of_the_values():
    assert build(egress=[EGRESS]).egress == (
        Egress(
            name="out",
            listen=TcpAddress("127.0.0.1", 2),
            connect=(TcpAddress("llm.corp", 3),),
            identities=(),
            trust="mesh",
            expect=("llm.corp",),
            groups=POST_QUANTUM,
        ),
    )


def test_cnsa2_is_a_profile_and_a_group():
    (egress,) = build(egress=[EGRESS | {"groups": "cnsa2"}]).egress

    assert egress.profile is Profile.CNSA2
    assert egress.groups == ("SecP384r1MLKEM1024",)


def test_what_is_said_for_all_listeners_reaches_each():
    moved = {"mldsa87-ecdsa-p384": "0xFE91", "mldsa65-ecdsa-p256": 0xFE90}
    built = build(ingress=[INGRESS], egress=[EGRESS], code_points=moved)

    for listener in (*built.ingress, *built.egress):
        assert listener.code_points == (
            ("mldsa65-ecdsa-p256", 0xFE90),
            ("mldsa87-ecdsa-p384", 0xFE91),
        )


def test_what_is_demanded_of_peers_arrives():
    ingress = build(ingress=[INGRESS | {"authentication": "hybrid"}]).ingress[0]
    egress = build(egress=[EGRESS | {"authentication": "post-quantum"}]).egress[0]

    assert ingress.authentication is PeerAuthentication.HYBRID
    assert egress.authentication is PeerAuthentication.POST_QUANTUM


def test_tunnels_are_the_default():
    """A pair that nobody told of tunnels has them: two sidecars of one version find each other."""
    settings = build(ingress=[INGRESS], egress=[EGRESS])

    assert settings.ingress[0].tunnel is TunnelMode.AUTO
    assert settings.egress[0].tunnel == Tunnel(TunnelMode.AUTO, count=1, max_age=3600.0)


def test_what_is_said_of_tunnels_arrives():
    tunnel = {"mode": "require", "count": 3, "max_age": "never"}

    settings = build(
        ingress=[INGRESS | {"tunnel": {"mode": "never"}}], egress=[EGRESS | {"tunnel": tunnel}]
    )

    assert settings.ingress[0].tunnel is TunnelMode.NEVER
    assert settings.egress[0].tunnel == Tunnel(TunnelMode.REQUIRE, count=3, max_age=None)


def test_what_is_written_arrives():
    entry = {
        **INGRESS,
        "trust": "mesh",
        "client_auth": "request",
        "policy": "prefer",
        "allow": ["any-trusted"],
        "alpn": ["h2"],
        "padding": "none",
        "timeouts": {"connect": "1s", "handshake": "2s", "idle": "3s", "half_close": "never"},
        "limits": {"connections": 1, "handshakes": 2, "handshakes_per_source": 3},
    }

    (ingress,) = build(ingress=[entry]).ingress

    assert (ingress.trust, ingress.allow, ingress.alpn) == ("mesh", ("any-trusted",), ("h2",))
    assert ingress.client_auth is ClientAuth.REQUEST
    assert ingress.policy is Policy.PREFER
    assert ingress.groups == POST_QUANTUM + CLASSICAL
    assert ingress.padding is None
    assert ingress.timeouts == Timeouts(1, 2, 3, None)
    assert ingress.limits == ConnectionLimits(1, 2, 3)


def test_the_environment_holds_where_a_listener_is_silent():
    """Groups follow the policy that holds, and every value says who set it."""
    environment = PolicySource(Policy.PREFER, PolicyOrigin.ENVIRONMENT)

    settings = build(environment, ingress=[INGRESS | {"policy": "require"}], egress=[EGRESS])

    (said,), (silent,) = settings.ingress, settings.egress
    assert (said.policy, said.policy_origin) == (Policy.REQUIRE, PolicyOrigin.FILE)
    assert (silent.policy, silent.policy_origin) == (Policy.PREFER, PolicyOrigin.ENVIRONMENT)
    assert silent.groups == POST_QUANTUM + CLASSICAL
    assert settings.environment_policy is Policy.PREFER


def test_expect_replaces_the_host():
    entry = {**EGRESS, "expect": ["spiffe://corp/llm"]}

    assert build(egress=[entry]).egress[0].expect == ("spiffe://corp/llm",)


def test_the_rest_arrives():
    settings = build(
        drain={"timeout": "1m", "delay": "3s"},
        control={"listen": "unix:c.sock"},
        health={"listen": ":9", "probes": {"model": "/health"}, "upstream_metrics": "/metrics"},
        log={"format": "json", "connections": False},
        crypto={"provider": "auto"},
    )

    assert settings.drain == Drain(timeout=60, delay=3)
    assert settings.control == UnixAddress("/etc/pq/c.sock")
    assert settings.health == TcpAddress("", 9)
    assert settings.probes == (("model", "/health"),)
    assert settings.upstream_metrics == "/metrics"
    assert settings.log == Log("json", False)
    assert settings.provider == "auto"
