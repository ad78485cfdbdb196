"""What a client gets for hellos and flights that may not be."""

from dataclasses import replace

from pqproxy.crypto import InvalidInput
from pqproxy.tls import AlertDescription as Alert
from pqproxy.tls import NamedGroup, Verdict
from pqproxy.tls.codepoints import ExtensionType as Ext
from pqproxy.tls.codepoints import HandshakeType as Type
from pqproxy.tls.extensions import write_alpn, write_uint16_list
from pqproxy.tls.messages import Certificate, CertificateVerify, ClientHello
from tests.handshake.deviations.scenes import (
    ALERT,
    CCS,
    FINISHED,
    HANDSHAKE,
    NOT_FOR_SIGNING,
    REQUIRE,
    Row,
    by_client,
    first,
    flipped,
    hello,
    hellos,
    judged,
    left_out,
    rewritten,
    stapled,
    waiting,
)
from tests.support.deviation import Scene
from tests.support.playbook import client_hello, shares

X25519, HYBRID = NamedGroup.x25519, NamedGroup.X25519MLKEM768
ALPN = Ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION
HELLO = client_hello().message().encode()
PSK = {Ext.PRE_SHARED_KEY: b"\0\7\0\1t\0\0\0\0\0\x21\x20" + bytes(32)}
MODES = {Ext.PSK_KEY_EXCHANGE_MODES: b"\1\1"}


def said(content_type, content):
    return lambda: first("server").says_plainly(content_type, content)


def under_keys(content):
    return lambda: waiting().says(HANDSHAKE, content)


def offering(extensions=None, ours=None, **fields):
    return lambda: hello(extensions, ours, **fields)


def second(extensions=None, before=None, **fields):
    return lambda: hellos(extensions, before, **fields)


def changing(kind, change, **config):
    return lambda: by_client(kind, change, **{**REQUIRE, **config})


def proving(**fields):
    return changing(Type.CERTIFICATE_VERIFY, rewritten(CertificateVerify, **fields))


def hello_body(body):
    return b"\1" + len(body).to_bytes(3, "big") + body


def repeating(extension):
    """A hello in which this empty extension stands twice."""
    block = b"".join(
        kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data
        for kind, data in [*client_hello().extensions.items(), (extension, b""), (extension, b"")]
    )
    bare = client_hello(dict.fromkeys(client_hello().extensions)).message().body
    return hello_body(bare[:-2] + len(block).to_bytes(2, "big") + block)


class UnluckyKem:
    """It refuses to encapsulate for a reason of its own."""

    name = provider = "unlucky"
    encapsulation_key_length, ciphertext_length = 1184, 1088

    def encapsulate(self, _key):
        raise RuntimeError("a secret that must not leave")


def broken_kem():
    scene = Scene("server", ours={"groups": (HYBRID,)})
    exchanges = scene.subject.connection._state.context.exchanges
    exchanges._provider = replace(exchanges._provider, kems={"ML-KEM-768": UnluckyKem()})
    offered = {
        Ext.SUPPORTED_GROUPS: write_uint16_list((HYBRID,)),
        Ext.KEY_SHARE: shares((HYBRID, bytes(1216))),
    }
    return scene.says_plainly(HANDSHAKE, client_hello(offered).message().encode())


def interrupted_hello():
    begun = first("server").says_plainly(HANDSHAKE, HELLO[:9])
    return begun.says_plainly(ALERT, b"\1\x5a")


DECODE, UNEXPECTED, ILLEGAL = Alert.DECODE_ERROR, Alert.UNEXPECTED_MESSAGE, Alert.ILLEGAL_PARAMETER
MISSING, VERSION, FAILURE = (
    Alert.MISSING_EXTENSION,
    Alert.PROTOCOL_VERSION,
    Alert.HANDSHAKE_FAILURE,
)

ROWS = [
    # The first record
    Row("a hello cut short", DECODE, said(HANDSHAKE, b"\1\0\0\4\3\3ab")),
    Row("a hello with leftovers", DECODE, said(HANDSHAKE, hello_body(HELLO[4:] + b"\0"))),
    Row("a hello over 128 KB", ILLEGAL, said(HANDSHAKE, b"\1\2\0\1")),
    Row("a Finished first", UNEXPECTED, said(HANDSHAKE, FINISHED)),
    Row("a ServerHello", UNEXPECTED, said(HANDSHAKE, b"\2\0\0\0")),
    Row("a compatibility record first", UNEXPECTED, said(CCS, b"\1")),
    Row("a hello and a message behind it", UNEXPECTED, said(HANDSHAKE, HELLO + FINISHED)),
    Row("a hello and one byte behind it", UNEXPECTED, said(HANDSHAKE, HELLO + b"\x14")),
    Row("user_canceled within a hello", UNEXPECTED, interrupted_hello),
    Row("an SSL 2.0 hello", UNEXPECTED, lambda: first("server").feed(b"\x80\x2e\1\0\2")),
    # Negotiation
    Row("a hello of TLS 1.2", VERSION, offering({Ext.SUPPORTED_VERSIONS: None})),
    Row("versions without 1.3", VERSION, offering({Ext.SUPPORTED_VERSIONS: b"\4\3\3\3\2"})),
    Row("a hello of SSL 3.0", VERSION, offering(legacy_version=0x0300)),
    Row("no common suite", FAILURE, offering(cipher_suites=(0x1303, 0xC02F))),
    Row("no common scheme", FAILURE, offering({Ext.SIGNATURE_ALGORITHMS: b"\0\2\x08\x07"})),
    Row(
        "no common group",
        FAILURE,
        offering({Ext.SUPPORTED_GROUPS: b"\0\2\0\x19", Ext.KEY_SHARE: shares()}),
    ),
    Row("no post-quantum group", Alert.INSUFFICIENT_SECURITY, offering(ours={"groups": (HYBRID,)})),
    Row("no supported_groups", MISSING, offering({Ext.SUPPORTED_GROUPS: None})),
    Row("groups without key_share", MISSING, offering({Ext.KEY_SHARE: None})),
    Row("no signature_algorithms", MISSING, offering({Ext.SIGNATURE_ALGORITHMS: None})),
    Row("a pre_shared_key without modes", MISSING, offering(PSK)),
    Row(
        "no common protocol",
        Alert.NO_APPLICATION_PROTOCOL,
        offering({ALPN: write_alpn((b"h2",))}, {"alpn_protocols": (b"pqproxy/1",)}),
    ),
    # Extensions
    Row("a malformed key_share", DECODE, offering({Ext.KEY_SHARE: b"\0\3\0\x1d\0"})),
    Row("an empty list of groups", DECODE, offering({Ext.SUPPORTED_GROUPS: b"\0\0"})),
    Row("early_data with content", DECODE, offering({Ext.EARLY_DATA: b"x"})),
    Row(
        "a server_name of two names",
        DECODE,
        offering({Ext.SERVER_NAME: b"\0\x08" + b"\0\0\1a" * 2}),
    ),
    Row("an extension twice", ILLEGAL, said(HANDSHAKE, repeating(Ext.EARLY_DATA))),
    Row("an unknown extension twice", ILLEGAL, said(HANDSHAKE, repeating(0x5A5A))),
    Row("an extension of CertificateRequest", ILLEGAL, offering({Ext.OID_FILTERS: b"\0\0"})),
    Row("a pre_shared_key not at the end", ILLEGAL, offering({**PSK, **MODES})),
    Row("a record_size_limit of 63", ILLEGAL, offering({Ext.RECORD_SIZE_LIMIT: b"\0\x3f"})),
    Row("compression", ILLEGAL, offering(legacy_compression_methods=b"\1\0")),
    Row("a bad share", ILLEGAL, offering({Ext.KEY_SHARE: shares((X25519, bytes(31)))})),
    Row("a share for a group not offered", ILLEGAL, offering({Ext.KEY_SHARE: shares((24, b"x"))})),
    Row("a group shared twice", ILLEGAL, offering({Ext.KEY_SHARE: shares(*[(29, b"x" * 32)] * 2)})),
    # The second hello
    Row("other suites the second time", ILLEGAL, second(cipher_suites=(0x1302, 0x1301))),
    Row("no share the second time", ILLEGAL, second({Ext.KEY_SHARE: shares()})),
    Row(
        "early data the second time", ILLEGAL, second({Ext.EARLY_DATA: b""}, {Ext.EARLY_DATA: b""})
    ),
    Row("no key_share the second time", MISSING, second({Ext.KEY_SHARE: None})),
    Row("no TLS 1.3 the second time", VERSION, second({Ext.SUPPORTED_VERSIONS: None})),
    # The client's flight
    Row("a hello under keys", UNEXPECTED, under_keys(HELLO)),
    Row("an unasked certificate", UNEXPECTED, under_keys(Certificate(()).message().encode())),
    Row("no Certificate message", UNEXPECTED, changing(Type.CERTIFICATE, left_out)),
    Row("a chain without a proof", UNEXPECTED, changing(Type.CERTIFICATE_VERIFY, left_out)),
    Row("a context in Certificate", ILLEGAL, changing(Type.CERTIFICATE, lambda b: b"\1c" + b[1:])),
    Row("a stapled extension", Alert.UNSUPPORTED_EXTENSION, changing(Type.CERTIFICATE, stapled(5))),
    Row(
        "a certificate that is none",
        Alert.BAD_CERTIFICATE,
        changing(Type.CERTIFICATE, rewritten(Certificate, chain=(b"0",))),
    ),
    Row(
        "seven certificates",
        Alert.BAD_CERTIFICATE,
        changing(Type.CERTIFICATE, rewritten(Certificate, chain=(b"0",) * 7)),
    ),
    Row(
        "a certificate that may not sign",
        Alert.UNSUPPORTED_CERTIFICATE,
        changing(Type.CERTIFICATE, rewritten(Certificate, chain=NOT_FOR_SIGNING)),
    ),
    Row("a scheme not asked for", ILLEGAL, proving(algorithm=0x0807)),
    Row("a scheme of another key", ILLEGAL, proving(algorithm=0x0905)),
    Row("a scheme for chains only", ILLEGAL, proving(algorithm=0x0401)),
    Row("an empty signature", Alert.DECRYPT_ERROR, proving(signature=b"")),
    Row(
        "a changed signature",
        Alert.DECRYPT_ERROR,
        changing(Type.CERTIFICATE_VERIFY, flipped(-1)),
    ),
    Row("a changed Finished", Alert.DECRYPT_ERROR, changing(Type.FINISHED, flipped(0))),
    Row("a Finished too short", DECODE, changing(Type.FINISHED, lambda b: b[:-1])),
    Row("a Finished too long", DECODE, changing(Type.FINISHED, lambda b: b + b"\0")),
    Row("a Finished of TLS 1.2", DECODE, changing(Type.FINISHED, lambda b: b[:12])),
    Row("an empty Finished", DECODE, changing(Type.FINISHED, lambda b: b"")),
    Row(
        "a hello that was changed on its way",
        Alert.BAD_RECORD_MAC,
        changing(Type.CLIENT_HELLO, rewritten(ClientHello, cipher_suites=(0x1302,))),
    ),
    # Who it is
    Row("no certificate", Alert.CERTIFICATE_REQUIRED, lambda: Scene("server", ours=REQUIRE).play()),
    Row(
        "a name that is not allowed",
        Alert.ACCESS_DENIED,
        lambda: judged("server", Verdict.reject(Alert.ACCESS_DENIED, "not on the list")),
    ),
    Row(
        "a chain that nobody trusts",
        Alert.UNKNOWN_CA,
        lambda: judged("server", Verdict.reject(Alert.UNKNOWN_CA, "unknown root")),
    ),
    # Our own fault
    Row("a judge that fails", Alert.INTERNAL_ERROR, lambda: judged("server", InvalidInput("no"))),
    Row("a KEM that fails", Alert.INTERNAL_ERROR, broken_kem),
]
