from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, ExtensionType, NamedGroup
from pqproxy.tls.events import Offer
from pqproxy.tls.extensions import KeyShareEntry, write_alpn, write_uint16_list
from pqproxy.tls.key_exchange import CLASSICAL_GROUPS, HYBRID_GROUPS
from pqproxy.tls.negotiation import (
    GroupChoice,
    check_second_client_hello,
    check_shares_were_offered,
    offers_post_quantum,
    read_offer,
    select_alpn_protocol,
    select_cipher_suite,
    select_credential,
    select_group,
    select_server_credential,
    select_version,
)
from tests.support.hostile import client_hello, leaf, with_extensions
from tests.support.loopback import PROVIDER, credential

HYBRID, OTHER_HYBRID = NamedGroup.X25519MLKEM768, NamedGroup.SecP384r1MLKEM1024
X25519, P256 = NamedGroup.x25519, NamedGroup.secp256r1
GREASE = 0x5A5A
ILLEGAL_PARAMETER = AlertDescription.ILLEGAL_PARAMETER


def refused(call, description):
    with pytest.raises(FatalAlert) as caught:
        call()
    assert caught.value.description is description
    return caught.value.reason


def offer(groups=(), schemes=(), table=tls.SCHEMES):
    return Offer(
        client_random=bytes(32),
        supported_versions=(0x0304,),
        supported_groups=tuple(groups),
        key_shares=(),
        signature_schemes=tuple(schemes),
        server_name=None,
        alpn_protocols=(),
        schemes=table,
    )


def shares(*groups):
    return tuple(KeyShareEntry(group, b"x") for group in groups)


def hello(legacy_version=0x0303, versions=(0x0304,)):
    made = client_hello()
    data = None if versions is None else write_uint16_list(versions, prefix=1)
    made = with_extensions(made, {ExtensionType.SUPPORTED_VERSIONS: data})
    return replace(made, legacy_version=legacy_version)


# Versions


@pytest.mark.parametrize("versions", [(0x0304,), (0x0303, GREASE, 0x0304), (0x7F1C, 0x0304)])
@pytest.mark.parametrize("legacy_version", [0x0301, 0x0303, 0x0304, 0xFFFF])
def test_tls_1_3_is_chosen_wherever_it_stands(versions, legacy_version):
    select_version(hello(legacy_version, versions))


@pytest.mark.parametrize(
    ("legacy_version", "versions", "said"),
    [
        (0x0303, None, "TLS 1.2"),
        (0x0301, None, "TLS 1.0"),
        (0x0304, None, "no known version"),
        (0x0303, (0x0303, 0x0302), "TLS 1.2"),
        (0x0303, (GREASE,), "no known version"),
        (0x0300, (0x0304,), "SSL 3.0"),
        (0x0002, (0x0304,), "no known version"),
    ],
)
def test_anything_older_is_refused_and_named(legacy_version, versions, said):
    made = hello(legacy_version, versions)

    assert said in refused(lambda: select_version(made), AlertDescription.PROTOCOL_VERSION)


# Suites


def test_the_suite_is_our_first_that_the_client_has():
    ours = (CipherSuite.TLS_AES_256_GCM_SHA384, CipherSuite.TLS_AES_128_GCM_SHA256)

    assert select_cipher_suite((GREASE, 0x1303, 0x1301, 0x1302), ours) == 0x1302
    assert select_cipher_suite((0x1301,), ours) == 0x1301
    reason = refused(
        lambda: select_cipher_suite((0x1303, GREASE), ours), AlertDescription.HANDSHAKE_FAILURE
    )
    assert "0x1303" in reason


def test_a_client_whose_suites_are_all_too_weak_for_us_is_told_so():
    """A profile may leave out what the engine speaks."""
    strict = (CipherSuite.TLS_AES_256_GCM_SHA384,)

    reason = refused(
        lambda: select_cipher_suite((0x1303, 0x1301), strict),
        AlertDescription.INSUFFICIENT_SECURITY,
    )
    assert "TLS_AES_128_GCM_SHA256" in reason


# Groups


@pytest.mark.parametrize(
    ("offered", "shared", "allowed", "chosen", "has_share"),
    [
        ((HYBRID, X25519), (HYBRID,), HYBRID_GROUPS, HYBRID, True),
        ((X25519, HYBRID), (X25519, HYBRID), (X25519, HYBRID), HYBRID, True),
        # A post-quantum group is worth another round trip.
        ((X25519, HYBRID), (X25519,), (X25519, HYBRID), HYBRID, False),
        ((HYBRID, OTHER_HYBRID), (OTHER_HYBRID,), HYBRID_GROUPS, OTHER_HYBRID, True),
        ((HYBRID, OTHER_HYBRID), (), HYBRID_GROUPS, HYBRID, False),
        ((OTHER_HYBRID, HYBRID), (), HYBRID_GROUPS, HYBRID, False),
        ((GREASE, X25519), (GREASE, X25519), (HYBRID, X25519), X25519, True),
        ((P256, X25519), (X25519,), (HYBRID, P256, X25519), X25519, True),
        ((P256,), (), (HYBRID, X25519, P256), P256, False),
    ],
)
def test_a_mutual_post_quantum_group_wins_and_then_one_with_a_share(
    offered, shared, allowed, chosen, has_share
):
    choice = select_group(offer(offered), shares(*shared), allowed)

    assert choice == GroupChoice(chosen, KeyShareEntry(chosen, b"x") if has_share else None)


@pytest.mark.parametrize("offered", [(X25519, P256), (GREASE,), (0x6399,), CLASSICAL_GROUPS])
def test_without_a_post_quantum_group_security_is_insufficient(offered):
    reason = refused(
        lambda: select_group(offer(offered), shares(*offered), HYBRID_GROUPS),
        AlertDescription.INSUFFICIENT_SECURITY,
    )

    assert offer(offered).describe_groups() in reason


def test_a_post_quantum_group_that_we_do_not_allow_is_not_called_none():
    reason = refused(
        lambda: select_group(offer((HYBRID, X25519)), shares(HYBRID), (OTHER_HYBRID,)),
        AlertDescription.INSUFFICIENT_SECURITY,
    )

    assert reason.startswith("no post-quantum group that we allow: ")


def test_where_classical_groups_are_allowed_the_failure_is_an_ordinary_one():
    refused(
        lambda: select_group(offer((P256,)), (), (HYBRID, X25519)),
        AlertDescription.HANDSHAKE_FAILURE,
    )


@pytest.mark.parametrize(
    ("offered", "passes"),
    [((GREASE, P256, HYBRID), True), ((P256, X25519), False), ((0x11ED,), False), ((), False)],
)
def test_a_post_quantum_group_of_ours_passes_every_policy(offered, passes):
    """Post-quantum, but none that we allow: no policy accepts that."""
    assert offers_post_quantum(offer(offered), (HYBRID, X25519, P256)) is passes


@pytest.mark.parametrize("shared", [(), (HYBRID,), (HYBRID, X25519), (GREASE, X25519)])
def test_shares_for_offered_groups_in_their_order_are_accepted(shared):
    check_shares_were_offered(offer((GREASE, HYBRID, P256, X25519)), shares(*shared))


@pytest.mark.parametrize("shared", [(OTHER_HYBRID,), (X25519, HYBRID), (HYBRID, 0x6A6A)])
def test_other_shares_are_refused(shared):
    offered = offer((GREASE, HYBRID, P256, X25519))

    refused(lambda: check_shares_were_offered(offered, shares(*shared)), ILLEGAL_PARAMETER)


# Signatures


def test_the_first_certificate_that_the_peer_understands_is_chosen():
    post_quantum, classical = credential(leaf("mldsa65")), credential(leaf())
    both = tls.ServerConfig((post_quantum, classical), PROVIDER)

    assert select_credential(both, (0x0403, 0x0905)).credential is post_quantum
    choice = select_credential(both, (GREASE, 0x0403))
    assert (choice.credential, choice.scheme) == (classical, 0x0403)
    assert select_credential(both, (0x0804, 0x0401)) is None


def test_a_scheme_for_chains_never_signs_a_handshake():
    config = tls.ServerConfig((credential(leaf("rsa-2048")),), PROVIDER)

    assert select_credential(config, (0x0401, 0x0501)) is None


def test_a_scheme_under_another_number_is_chosen_by_that_number():
    """Whoever still uses the old one has nothing in common with us, and is seen by number."""
    schemes = tls.SCHEMES.with_code_points({"mldsa65-ecdsa-p256": 0xFE90})
    own = replace(credential(leaf()), key_algorithm="mldsa65-ecdsa-p256")
    config = tls.ServerConfig((own,), PROVIDER, schemes=schemes)

    assert select_credential(config, (0xFE45, 0xFE90)).scheme == 0xFE90
    reason = refused(
        lambda: select_server_credential(config, offer(schemes=(0xFE45,), table=schemes)),
        AlertDescription.HANDSHAKE_FAILURE,
    )
    assert "the client offers 0xfe45" in reason


def test_no_common_scheme_is_a_handshake_failure_that_names_both_sides():
    config = tls.ServerConfig((credential(leaf("mldsa65")),), PROVIDER)
    reason = refused(
        lambda: select_server_credential(config, offer(schemes=(0x0403,))),
        AlertDescription.HANDSHAKE_FAILURE,
    )

    assert "mldsa65" in reason
    assert "ecdsa_secp256r1_sha256" in reason


def test_tens_of_thousands_of_schemes_are_borne():
    config = tls.ServerConfig((credential(leaf()),), PROVIDER)
    schemes = [*range(0x8000, 0x8000 + 32_000), 0x0403]

    assert select_server_credential(config, offer(schemes=schemes)).scheme == 0x0403


# Protocols


@pytest.mark.parametrize(
    ("offered", "ours", "chosen"),
    [
        ((), (b"h2",), None),
        ((b"h2",), (), None),
        ((b"http/1.1", b"h2"), (b"h2", b"http/1.1"), b"h2"),
        ((b"x", b"h2"), (b"h2",), b"h2"),
    ],
)
def test_the_protocol_is_our_first_that_the_client_offers(offered, ours, chosen):
    assert select_alpn_protocol(offered, ours) == chosen


def test_two_lists_without_a_common_protocol_are_refused():
    refused(
        lambda: select_alpn_protocol((b"\xff\n",), (b"h2",)),
        AlertDescription.NO_APPLICATION_PROTOCOL,
    )


@pytest.mark.parametrize(
    ("demand", "offered", "fine"),
    [
        (tls.AlpnDemand.NONE, (b"h2",), True),
        (tls.AlpnDemand.NONE, (), True),
        (tls.AlpnDemand.COMMON, (b"h2",), False),
        (tls.AlpnDemand.COMMON, (), True),
        (tls.AlpnDemand.ALWAYS, (b"h2",), False),
        (tls.AlpnDemand.ALWAYS, (), False),
    ],
)
def test_a_server_insists_on_its_protocols_as_far_as_it_was_told(demand, offered, fine):
    def select():
        return select_alpn_protocol(offered, (b"x",), demand)

    if fine:
        assert select() is None
    else:
        refused(select, AlertDescription.NO_APPLICATION_PROTOCOL)
    assert select_alpn_protocol((*offered, b"x"), (b"x",), demand) == b"x"


# The second hello


def second(first, changes=None, group=HYBRID):
    share = written_shares(group)
    return with_extensions(first, {ExtensionType.KEY_SHARE: share, **(changes or {})})


def written_shares(*groups):
    body = b"".join(entry.write() for entry in shares(*groups))
    return len(body).to_bytes(2, "big") + body


def test_the_share_that_was_asked_for_is_returned():
    first = client_hello((X25519, HYBRID))

    assert check_second_client_hello(first, second(first), HYBRID) == KeyShareEntry(HYBRID, b"x")


@pytest.mark.parametrize("extension", [ExtensionType.COOKIE, ExtensionType.PADDING, 0xFE0D])
def test_a_second_hello_may_add_what_the_standard_lets_it(extension):
    first = client_hello((X25519, HYBRID))

    check_second_client_hello(first, second(first, {extension: b"x"}), HYBRID)


@pytest.mark.parametrize(
    "changes",
    [
        {ExtensionType.SUPPORTED_GROUPS: write_uint16_list((HYBRID,))},
        {ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list((0x0403,))},
        {ExtensionType.SUPPORTED_VERSIONS: write_uint16_list((0x0304, 0x0303), 1)},
        {ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: write_alpn((b"h2",))},
        {ExtensionType.SERVER_NAME: b"x"},
        {ExtensionType.RECORD_SIZE_LIMIT: None},
        {ExtensionType.EARLY_DATA: b""},
        {ExtensionType.PRE_SHARED_KEY: b"x"},
        {ExtensionType.KEY_SHARE: written_shares()},
        {ExtensionType.KEY_SHARE: written_shares(X25519)},
        {ExtensionType.KEY_SHARE: written_shares(HYBRID, X25519)},
    ],
)
def test_a_second_hello_changes_nothing_else(changes):
    first = client_hello((X25519, HYBRID))
    changed = second(first, changes)

    refused(lambda: check_second_client_hello(first, changed, HYBRID), ILLEGAL_PARAMETER)


def test_a_second_hello_keeps_the_order_of_extensions():
    first = client_hello((X25519, HYBRID))
    again = second(first)
    shuffled = replace(again, extensions=dict(reversed(again.extensions.items())))

    refused(lambda: check_second_client_hello(first, shuffled, HYBRID), ILLEGAL_PARAMETER)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("legacy_version", 0x0302),
        ("random", bytes(32)),
        ("legacy_session_id", b""),
        ("cipher_suites", (0x1301,)),
        ("legacy_compression_methods", b"\0\1"),
    ],
)
def test_a_second_hello_keeps_every_field(field, value):
    first = client_hello((X25519, HYBRID))
    changed = replace(second(first), **{field: value})

    refused(lambda: check_second_client_hello(first, changed, HYBRID), ILLEGAL_PARAMETER)


# Offers


def test_an_offer_is_read_from_a_hello():
    made = client_hello(HYBRID_GROUPS, server_name="llm.test", alpn_protocols=(b"h2",))
    found = read_offer(made)

    assert found.supported_groups == HYBRID_GROUPS
    assert found.key_shares == (HYBRID,)
    assert found.supported_versions == (0x0304,)
    assert (found.server_name, found.alpn_protocols) == ("llm.test", (b"h2",))


def test_a_hello_without_extensions_offers_nothing():
    bare = with_extensions(client_hello(), dict.fromkeys(ExtensionType))

    assert read_offer(bare) == Offer(bare.random, (), (), (), (), None, ())
