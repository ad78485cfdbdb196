"""What a peer gets for a ticket offered, or accepted, as it may not be."""

from pqproxy.tls import AlertDescription as Alert
from pqproxy.tls import NamedGroup
from pqproxy.tls.codepoints import ExtensionType as Ext
from pqproxy.tls.codepoints import HandshakeType as Type
from pqproxy.tls.messages import Certificate, CertificateRequest, ServerHello, key_update_message
from tests.handshake.deviations.scenes import (
    HANDSHAKE,
    REQUIRE,
    Row,
    flipped,
    hello,
    rewritten,
    with_extensions,
)
from tests.support.deviation import Scene
from tests.support.hostile import GROUPS
from tests.support.playbook import RETRY_RANDOM
from tests.support.resumption import Resumption

X25519, P256, HYBRID = NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.X25519MLKEM768
MODES = {Ext.PSK_KEY_EXCHANGE_MODES: b"\1\1"}
IDENTITY, BINDER = b"\0\1t\0\0\0\0", b"\x20" + bytes(32)
UNKNOWN = {**MODES, Ext.PRE_SHARED_KEY: b"\0\7" + IDENTITY + b"\0\x21" + BINDER}
UNMATCHED = {**MODES, Ext.PRE_SHARED_KEY: b"\0\x0e" + IDENTITY * 2 + b"\0\x21" + BINDER}


def resuming(role, alter=None, ours=None, theirs=None):
    """A handshake with a ticket of an earlier one, in which the peer alters messages."""
    resumption = Resumption(**REQUIRE)
    ticket = resumption.first_visit()[0]
    client = {"clock": resumption.clock, "ticket": ticket}
    server = {"tickets": resumption.server_config["tickets"]}
    mine, others = (server, client) if role == "server" else (client, server)
    return Scene(
        role, alter or {}, ours={**mine, **(ours or {})}, theirs={**others, **(theirs or {})}
    )


def by_client(alter=None, ours=None, **theirs):
    return lambda: resuming("server", alter, ours, theirs).play()


def by_server(kind, change, ours=None, **theirs):
    return lambda: resuming("client", {kind: change}, ours, theirs).play()


def under_keys(content):
    return lambda: resuming("server", ours=REQUIRE).until_our_flight().says(HANDSHAKE, content)


def once_again(change):
    """It leaves the first hello alone, and changes the second."""
    seen = []

    def alter(body):
        seen.append(body)
        return body if len(seen) == 1 else change(body)

    return alter


def in_server_hello(extensions, **fields):
    def change(body):
        return rewritten(ServerHello, **fields)(with_extensions(ServerHello, extensions)(body))

    return change


def selecting_nothing_but(*kept):
    """A ServerHello with these extensions of its own only."""

    def change(body):
        read = ServerHello.read(body)
        extensions = {kind: data for kind, data in read.extensions.items() if kind in kept}
        return rewritten(ServerHello, extensions=extensions)(body)

    return change


def early_data_accepted(_body):
    return b"\0\4\0\x2a\0\0"


def with_more(message):
    """A server that resumes, and says something behind EncryptedExtensions all the same."""
    scene = resuming("client")
    scene.peer.connection._output._behind = {Type.ENCRYPTED_EXTENSIONS: message.encode()}
    return scene.play()


ILLEGAL, UNEXPECTED, DECRYPT = (
    Alert.ILLEGAL_PARAMETER,
    Alert.UNEXPECTED_MESSAGE,
    Alert.DECRYPT_ERROR,
)
HELLO, ANSWER = Type.CLIENT_HELLO, Type.SERVER_HELLO
TWO_GROUPS = {"groups": (X25519, P256)}
ONLY_P256 = {"groups": (P256,)}
KEY_UPDATE = key_update_message(update_requested=False)
EMPTY_CHAIN = Certificate(()).message().encode()

ROWS = [
    # What a client offers
    Row("a wrong binder", DECRYPT, by_client({HELLO: flipped(-1)})),
    Row("a hello changed under its binder", DECRYPT, by_client({HELLO: flipped(10)})),
    Row("a ticket's age changed", DECRYPT, by_client({HELLO: flipped(-52)})),
    Row(
        "a wrong binder after a retry",
        DECRYPT,
        by_client({HELLO: once_again(flipped(-1))}, ONLY_P256, **TWO_GROUPS),
    ),
    Row("more identities than binders", ILLEGAL, lambda: hello(UNMATCHED)),
    Row(
        "modes that do not parse",
        Alert.DECODE_ERROR,
        lambda: hello({Ext.PSK_KEY_EXCHANGE_MODES: b"\2\1"}),
    ),
    Row(
        "an unknown ticket without signature_algorithms",
        Alert.MISSING_EXTENSION,
        lambda: hello({Ext.SIGNATURE_ALGORITHMS: None, **UNKNOWN}),
    ),
    Row(
        "a ticket with classical groups only",
        Alert.INSUFFICIENT_SECURITY,
        by_client(None, {"groups": (HYBRID,)}, groups=GROUPS),
    ),
    Row("a certificate nobody asked for", UNEXPECTED, under_keys(EMPTY_CHAIN)),
    Row("a wrong Finished", DECRYPT, by_client({Type.FINISHED: flipped(0)})),
    # What a server answers
    Row(
        "a ticket that was not offered",
        ILLEGAL,
        by_server(ANSWER, in_server_hello({Ext.PRE_SHARED_KEY: b"\0\1"})),
    ),
    Row(
        "a selected ticket that does not parse",
        Alert.DECODE_ERROR,
        by_server(ANSWER, in_server_hello({Ext.PRE_SHARED_KEY: b"\0"})),
    ),
    Row(
        "a suite of another hash",
        ILLEGAL,
        by_server(ANSWER, in_server_hello({}, cipher_suite=0x1301)),
    ),
    Row(
        "a ticket without a key exchange",
        ILLEGAL,
        by_server(ANSWER, selecting_nothing_but(Ext.SUPPORTED_VERSIONS, Ext.PRE_SHARED_KEY)),
    ),
    Row(
        "a ticket accepted in a retry",
        ILLEGAL,
        by_server(ANSWER, in_server_hello({}, random=RETRY_RANDOM)),
    ),
    Row(
        "early data accepted",
        Alert.UNSUPPORTED_EXTENSION,
        by_server(Type.ENCRYPTED_EXTENSIONS, early_data_accepted),
    ),
    Row(
        "a certificate request within a resumption",
        UNEXPECTED,
        lambda: with_more(CertificateRequest({Ext.SIGNATURE_ALGORITHMS: b"\0\2\4\3"}).message()),
    ),
    Row(
        "a certificate within a resumption",
        UNEXPECTED,
        lambda: with_more(Certificate((b"chain",)).message()),
    ),
    Row("no Finished of a server that resumes", UNEXPECTED, lambda: with_more(KEY_UPDATE)),
    Row("a wrong Finished of the server", DECRYPT, by_server(Type.FINISHED, flipped(0))),
]
