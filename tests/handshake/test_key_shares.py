"""What a share must be before any secret comes of it, in every group and both roles."""

import pytest

from pqproxy import tls
from pqproxy.tls.codepoints import ExtensionType as Ext
from pqproxy.tls.codepoints import HandshakeType as Type
from pqproxy.tls.codepoints import NamedGroup
from pqproxy.tls.extensions import (
    KeyShareEntry,
    read_client_shares,
    read_server_share,
    write_uint16_list,
)
from pqproxy.tls.key_exchange import CLASSICAL_GROUPS, HYBRID_GROUPS, PRIVATE_GROUPS
from pqproxy.tls.messages import ClientHello, ServerHello
from tests.handshake.deviations.scenes import rewritten, with_extensions
from tests.support.deviation import Scene, assert_inert
from tests.support.hostile import leaf
from tests.support.loopback import Endpoint, pump
from tests.support.playbook import share, shares

ILLEGAL_PARAMETER, DECODE_ERROR = 47, 50
DECRYPT_ERROR, BAD_RECORD_MAC = 51, 20
every_group = pytest.mark.parametrize(
    "group", [*HYBRID_GROUPS, *PRIVATE_GROUPS, *CLASSICAL_GROUPS], ids=lambda g: g.name
)
roles = pytest.mark.parametrize("role", ["server", "client"])

# group: where its parts lie in (client share, server share); a point or an encapsulation key
MLKEM = {
    NamedGroup.X25519MLKEM768: (slice(0, 1184), slice(0, 1088)),
    NamedGroup.SecP256r1MLKEM768: (slice(65, 1249), slice(65, 1153)),
    NamedGroup.SecP384r1MLKEM1024: (slice(97, 1665), slice(97, 1665)),
    NamedGroup.X25519MLKEM1024: (slice(0, 1568), slice(0, 1568)),
}
CURVE = {
    NamedGroup.X25519MLKEM768: (slice(1184, 1216), slice(1088, 1120)),
    NamedGroup.SecP256r1MLKEM768: (slice(0, 65), slice(0, 65)),
    NamedGroup.SecP384r1MLKEM1024: (slice(0, 97), slice(0, 97)),
    NamedGroup.X25519MLKEM1024: (slice(1568, 1600), slice(1568, 1600)),
    NamedGroup.x25519: (slice(0, 32), slice(0, 32)),
    NamedGroup.secp256r1: (slice(0, 65), slice(0, 65)),
    NamedGroup.secp384r1: (slice(0, 97), slice(0, 97)),
}
with_x25519 = pytest.mark.parametrize(
    "group", [g for g in CURVE if g.name.lower().startswith("x25519")], ids=lambda g: g.name
)
with_nist_curve = pytest.mark.parametrize(
    "group", [g for g in CURVE if "ec" in g.name.lower()], ids=lambda g: g.name
)
hybrid = pytest.mark.parametrize("group", [*HYBRID_GROUPS, *PRIVATE_GROUPS], ids=lambda g: g.name)


def meeting(role, group, change):
    """The peer of this role's subject changes its share."""
    if role == "server":
        kind = Type.CLIENT_HELLO

        def changed(body):
            (entry,) = read_client_shares(ClientHello.read(body).extensions[Ext.KEY_SHARE])
            data = shares((entry.group, change(entry.key_exchange)))
            return with_extensions(ClientHello, {Ext.KEY_SHARE: data})(body)
    else:
        kind = Type.SERVER_HELLO

        def changed(body):
            entry = read_server_share(ServerHello.read(body).extensions[Ext.KEY_SHARE])
            data = share(entry.group, change(entry.key_exchange))
            return with_extensions(ServerHello, {Ext.KEY_SHARE: data})(body)

    both = {"groups": (group,)}
    return Scene(role, {kind: changed}, ours=both, theirs=both).play()


def replaced(part, role, value):
    """Put `value` where this part of the share lies."""
    where = part[0] if role == "server" else part[1]

    def change(data):
        return data[: where.start] + value(data[where]) + data[where.stop :]

    return change


def assert_alert(scene, alert):
    assert scene.failure.alert == alert
    assert scene.alerts == [(2, alert)]
    assert_inert(scene.subject.connection)


@every_group
@roles
@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + b"\0"], ids=["-1", "+1"])
def test_a_share_one_byte_off_is_refused(role, group, change):
    assert_alert(meeting(role, group, change), ILLEGAL_PARAMETER)


@hybrid
@roles
def test_one_half_of_a_hybrid_share_is_not_enough(role, group):
    """Neither half may be stripped: that would be a silent downgrade."""
    index = 0 if role == "server" else 1
    for part in (MLKEM[group][index], CURVE[group][index]):
        assert_alert(meeting(role, group, lambda s, p=part: s[p]), ILLEGAL_PARAMETER)


@hybrid
@roles
def test_the_two_halves_do_not_commute(role, group):
    """The order is fixed by the group: the same bytes the other way round are no share."""
    index = 0 if role == "server" else 1
    first, second = sorted((MLKEM[group][index], CURVE[group][index]), key=lambda s: s.start)
    scene = meeting(role, group, lambda s: s[second] + s[first])

    assert scene.failure
    assert not scene.subject.handshake_complete
    assert_inert(scene.subject.connection)


@with_x25519
@roles
@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)], ids=["zero", "order 1"])
def test_a_point_that_gives_an_all_zero_secret_is_refused(role, group, point):
    change = replaced(CURVE[group], role, lambda _: point)

    assert_alert(meeting(role, group, change), ILLEGAL_PARAMETER)


@with_nist_curve
@roles
@pytest.mark.parametrize(
    "encode",
    [
        lambda p: bytes((2 + p[-1] % 2,)) + p[1 : 1 + len(p) // 2],
        lambda p: bytes((2 + p[-1] % 2,)) + p[1:],
        lambda p: bytes((6 + p[-1] % 2,)) + p[1:],
        lambda p: b"\0" * len(p),
        lambda p: p[:-1] + bytes((p[-1] ^ 1,)),
        lambda p: b"\4" + b"\xff" * (len(p) - 1),
    ],
    ids=["compressed", "compressed, right length", "hybrid form", "zeros", "off the curve", "≥ p"],
)
def test_only_uncompressed_points_on_the_curve_are_taken(role, group, encode):
    assert_alert(meeting(role, group, replaced(CURVE[group], role, encode)), ILLEGAL_PARAMETER)


@hybrid
def test_an_encapsulation_key_that_is_none_is_refused(group):
    """FIPS 203 §7.2: coefficients are below q; here they are 2^12 - 1."""

    def too_large(key):
        return b"\xff" * 384 + key[384:]

    assert_alert(meeting("server", group, replaced(MLKEM[group], "server", too_large)), 47)


@hybrid
def test_a_garbage_ciphertext_is_no_oracle_and_dies_as_any_wrong_key_does(group):
    """Implicit rejection: the same alert, whichever bit was wrong, and no word about which half."""
    reasons = set()
    for position in (0, 500, -1):

        def garble(ciphertext, at=position):
            changed = bytearray(ciphertext)
            changed[at] ^= 1
            return bytes(changed)

        scene = meeting("client", group, replaced(MLKEM[group], "client", garble))
        assert_alert(scene, BAD_RECORD_MAC)
        reasons.add(scene.failure.reason)
    wrong_point = replaced(CURVE[group], "client", lambda _: other_point(group))
    reasons.add(meeting("client", group, wrong_point).failure.reason)

    assert reasons == {"record fails to decrypt"}


def other_point(group):
    """A sound point that is not the server's."""
    endpoint = Endpoint.client(groups=(group,))
    hello = ClientHello.read(endpoint.take()[9:])
    (entry,) = read_client_shares(hello.extensions[Ext.KEY_SHARE])
    return entry.key_exchange[CURVE[group][0]]


@every_group
@roles
def test_an_empty_share_does_not_even_parse(role, group):
    assert_alert(meeting(role, group, lambda _: b""), DECODE_ERROR)


def test_shares_out_of_the_order_of_groups_are_refused():
    groups = (NamedGroup.x25519, NamedGroup.secp256r1)
    swapped = {
        Ext.SUPPORTED_GROUPS: write_uint16_list(tuple(reversed(groups))),
    }
    config = {"groups": groups, "key_shares": groups}
    change = with_extensions(ClientHello, swapped)
    scene = Scene("server", {Type.CLIENT_HELLO: change}, ours={"groups": groups}, theirs=config)

    assert_alert(scene.play(), ILLEGAL_PARAMETER)


def test_a_server_that_answers_with_a_share_of_the_other_group_is_refused():
    """Both were shared, but the bytes are of the one that it did not name."""
    groups = (NamedGroup.x25519, NamedGroup.X25519MLKEM768)

    def renamed(body):
        entry = read_server_share(ServerHello.read(body).extensions[Ext.KEY_SHARE])
        data = KeyShareEntry(NamedGroup.x25519, entry.key_exchange).write()
        return with_extensions(ServerHello, {Ext.KEY_SHARE: data})(body)

    ours = {"groups": groups, "key_shares": groups}
    scene = Scene("client", {Type.SERVER_HELLO: renamed}, ours=ours, theirs={"groups": groups})

    assert_alert(scene.play(), ILLEGAL_PARAMETER)


def test_a_random_that_was_changed_gives_other_keys():
    change = rewritten(ServerHello, random=b"\x11" * 32)
    scene = Scene("client", {Type.SERVER_HELLO: change}).play()

    assert_alert(scene, BAD_RECORD_MAC)


@every_group
def test_no_share_comes_twice_from_the_same_configuration(group):
    """Key shares are for one connection each (§4.3.8)."""
    seen = set()
    for _ in range(3):
        client, server = Endpoint.client(groups=(group,)), Endpoint.server(leaf(), groups=(group,))
        hello = client.take()
        server.feed(hello)
        answer = server.take()
        client.feed(answer)
        pump(client, server)

        assert client.negotiated.group == group
        seen |= {hello[-32:], answer[44 + 32 : 44 + 96]}
    assert len(seen) == 6
    assert tls.is_post_quantum(group) is (group not in CLASSICAL_GROUPS)
