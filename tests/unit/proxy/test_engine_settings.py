import pytest

from pqproxy.config.values import (
    Egress,
    Ingress,
    PeerAuthentication,
    Policy,
    Profile,
    TcpAddress,
    Tunnel,
    TunnelMode,
)
from pqproxy.proxy.engine_settings import (
    IngressAlpn,
    algorithms,
    alpn,
    credentials,
    egress_alpn,
    groups,
    ingress_alpn,
    key_shares,
)
from pqproxy.tls import (
    CLASSICAL_GROUPS,
    HYBRID_GROUPS,
    AlpnDemand,
    CipherSuite,
    NamedGroup,
    ServerConfig,
    SignatureScheme,
)

from .sidecars import CLIENT, PROVIDER, SERVER, identity

ADDRESS = TcpAddress("127.0.0.1", 0)


def of(**settings):
    return algorithms(Ingress("llm", ADDRESS, ADDRESS, ("own",), None, **settings))


def test_without_a_list_the_policy_says_which_groups():
    assert groups((), Policy.REQUIRE) == HYBRID_GROUPS
    assert groups((), Policy.PREFER) == HYBRID_GROUPS + CLASSICAL_GROUPS


def test_a_list_keeps_its_order():
    names = ("SecP384r1MLKEM1024", "X25519MLKEM768")

    expected = (NamedGroup.SecP384r1MLKEM1024, NamedGroup.X25519MLKEM768)
    assert groups(names, Policy.REQUIRE) == expected


def test_post_quantum_groups_come_first_whatever_the_list_says():
    offered = groups(("x25519", "X25519MLKEM768"), Policy.PREFER)

    assert offered == (NamedGroup.X25519MLKEM768, NamedGroup.x25519)


def test_require_never_lets_a_classical_group_through():
    assert groups(("x25519", "X25519MLKEM768"), Policy.REQUIRE) == (NamedGroup.X25519MLKEM768,)


def test_a_client_shares_its_first_group_and_x25519_where_it_offers_that():
    assert key_shares(groups((), Policy.REQUIRE)) == (NamedGroup.X25519MLKEM768,)
    assert key_shares(groups((), Policy.PREFER)) == (
        NamedGroup.X25519MLKEM768,
        NamedGroup.x25519,
    )
    assert key_shares((NamedGroup.x25519,)) == (NamedGroup.x25519,)


def test_cnsa2_leaves_one_of_each_kind():
    left = of(profile=Profile.CNSA2)

    assert left.cipher_suites == (CipherSuite.TLS_AES_256_GCM_SHA384,)
    assert left.signature_schemes == left.chain_signature_schemes == (SignatureScheme.mldsa87,)


def test_without_a_profile_the_engine_keeps_its_own():
    left, config = of(), ServerConfig((), PROVIDER)

    assert left.cipher_suites == config.cipher_suites
    assert left.signature_schemes == config.signature_schemes
    assert left.chain_signature_schemes == config.chain_signature_schemes


def test_a_demand_on_signatures_leaves_the_others_out_of_every_offer():
    """Of chains too: a peer that has nothing else must find out at once."""
    hybrid = of(authentication=PeerAuthentication.HYBRID)
    post_quantum = of(authentication=PeerAuthentication.POST_QUANTUM)

    composite = (0xFE45, 0xFE49, 0xFE48, 0xFE40)
    assert hybrid.signature_schemes == hybrid.chain_signature_schemes == composite
    assert post_quantum.signature_schemes == (*composite, 0x0905, 0x0906, 0x0904)
    assert hybrid.cipher_suites == of().cipher_suites


def test_code_points_of_our_own_are_offered_instead_of_the_usual_ones():
    own = of(
        authentication=PeerAuthentication.HYBRID, code_points=(("mldsa65-ecdsa-p256", 0xFE90),)
    )

    assert own.signature_schemes[0] == own.chain_signature_schemes[0] == 0xFE90
    assert 0xFE45 not in own.signature_schemes
    assert own.schemes.name(0xFE90) == "mldsa65_ecdsa_p256"


def test_credentials_keep_the_order_of_identities():
    made = credentials([identity(SERVER), identity(CLIENT)])

    assert [one.chain for one in made] == [SERVER.chain_der, CLIENT.chain_der]
    assert made[0].key_algorithm == "ecdsa-p256"


def test_protocol_names_are_bytes_on_the_wire():
    assert alpn(("http/1.1", "h2")) == (b"http/1.1", b"h2")


TUNNEL = b"pqproxy/1"


@pytest.mark.parametrize(
    ("mode", "listed", "expected"),
    [
        (TunnelMode.AUTO, (), IngressAlpn((TUNNEL,), AlpnDemand.NONE)),
        (TunnelMode.AUTO, ("h2",), IngressAlpn((TUNNEL, b"h2"), AlpnDemand.COMMON)),
        (TunnelMode.REQUIRE, ("h2",), IngressAlpn((TUNNEL,), AlpnDemand.ALWAYS)),
        (TunnelMode.NEVER, (), IngressAlpn((), AlpnDemand.COMMON)),
        (TunnelMode.NEVER, ("h2",), IngressAlpn((b"h2",), AlpnDemand.COMMON)),
    ],
)
def test_an_ingress_prefers_tunnels_and_keeps_its_standard_clients(mode, listed, expected):
    """Without `alpn`, curl and browsers come in whatever they offer; tunnels change nothing."""
    settings = Ingress("llm", ADDRESS, ADDRESS, ("own",), None, alpn=listed, tunnel=mode)

    assert ingress_alpn(settings) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (TunnelMode.AUTO, (TUNNEL, b"h2")),
        (TunnelMode.REQUIRE, (TUNNEL,)),
        (TunnelMode.NEVER, (b"h2",)),
    ],
)
def test_an_egress_offers_tunnels_first_alone_or_never(mode, expected):
    settings = Egress("out", ADDRESS, (ADDRESS,), (), "mesh", (), alpn=("h2",), tunnel=Tunnel(mode))

    assert egress_alpn(settings) == expected
