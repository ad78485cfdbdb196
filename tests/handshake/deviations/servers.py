"""What a server gets for hellos and flights that may not be."""

from pqproxy.crypto import InvalidInput
from pqproxy.tls import AlertDescription as Alert
from pqproxy.tls import ClientAuthentication, NamedGroup, Verdict
from pqproxy.tls.codepoints import ExtensionType as Ext
from pqproxy.tls.codepoints import HandshakeType as Type
from pqproxy.tls.extensions import write_alpn
from pqproxy.tls.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
)
from tests.handshake.deviations.scenes import (
    FINISHED,
    HANDSHAKE,
    NOT_FOR_SIGNING,
    Row,
    answer,
    by_server,
    connected,
    first,
    flipped,
    judged,
    left_out,
    rewritten,
    stapled,
    waiting,
    with_extensions,
)
from tests.support.deviation import Scene
from tests.support.playbook import RETRY_RANDOM, server_hello, share

X25519 = NamedGroup.x25519
ALPN = Ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION
ASKS = {"client_authentication": ClientAuthentication.REQUEST}
EVERYTHING = frozenset(range(65536))


def said(content):
    return lambda: first("client").says_plainly(HANDSHAKE, content)


def answering(extensions=None, ours=None, **fields):
    return lambda: answer(extensions, ours, **fields)


def asking_again(extensions=None, **fields):
    return answering(extensions, random=RETRY_RANDOM, **fields)


def changing(kind, change, theirs=None, **config):
    return lambda: by_server(kind, change, theirs, **config)


def extending(extensions, **config):
    """More in EncryptedExtensions."""
    change = with_extensions(EncryptedExtensions, extensions, EVERYTHING)
    return changing(Type.ENCRYPTED_EXTENSIONS, change, **config)


def requesting(change):
    return changing(Type.CERTIFICATE_REQUEST, change, ASKS)


def proving(**fields):
    return changing(Type.CERTIFICATE_VERIFY, rewritten(CertificateVerify, **fields))


def packing(kind, data):
    """A message with something behind it in the same record."""
    return lambda: Scene("client", behind={kind: data}).play()


def ticket(body):
    encoded = b"\4" + len(body).to_bytes(3, "big") + body
    return lambda: connected("client").says(HANDSHAKE, encoded, stage="application")


def two_retries():
    scene = Scene("client", ours={"groups": (X25519, 23, 24), "key_shares": (X25519,)})
    session_id = bytes(scene.hear()[44:76])
    for group in (b"\0\x17", b"\0\x18"):
        retry = server_hello(
            {Ext.KEY_SHARE: group}, random=RETRY_RANDOM, legacy_session_id_echo=session_id
        )
        scene.says_plainly(HANDSHAKE, retry.message().encode())
    return scene


DECODE, UNEXPECTED, ILLEGAL = Alert.DECODE_ERROR, Alert.UNEXPECTED_MESSAGE, Alert.ILLEGAL_PARAMETER
UNSUPPORTED, DECRYPT = Alert.UNSUPPORTED_EXTENSION, Alert.DECRYPT_ERROR
VERSION, MISSING = Alert.PROTOCOL_VERSION, Alert.MISSING_EXTENSION
NO_SCHEMES = rewritten(CertificateRequest, extensions={})
EMPTY_SCHEMES = rewritten(CertificateRequest, extensions={Ext.SIGNATURE_ALGORITHMS: b"\0\0"})
NOBODY = rewritten(Certificate, chain=())

ROWS = [
    # The first message
    Row("a hello cut short", DECODE, said(b"\2\0\0\4\3\3ab")),
    Row("a ClientHello", UNEXPECTED, said(b"\1\0\0\0")),
    Row("a Finished first", UNEXPECTED, said(FINISHED)),
    Row("a CertificateRequest first", UNEXPECTED, said(b"\x0d\0\0\0")),
    Row("a hello over 16 KB", ILLEGAL, said(b"\2\0\x40\1")),
    # ServerHello
    Row("a hello of TLS 1.2", VERSION, answering({Ext.SUPPORTED_VERSIONS: None})),
    Row("another version", ILLEGAL, answering({Ext.SUPPORTED_VERSIONS: b"\3\3"})),
    Row("a wrong legacy_version", VERSION, answering(legacy_version=0x0304)),
    Row("a downgrade", ILLEGAL, answering({43: None}, random=bytes(24) + b"DOWNGRD\1")),
    Row("another session id", ILLEGAL, answering(legacy_session_id_echo=bytes(32))),
    Row("a session id of 33 bytes", DECODE, answering(legacy_session_id_echo=bytes(33))),
    Row("compression", ILLEGAL, answering(legacy_compression_method=1)),
    Row("a suite not offered", ILLEGAL, answering(cipher_suite=0x1303)),
    Row("no key_share", MISSING, answering({Ext.KEY_SHARE: None})),
    Row("a bad share", ILLEGAL, answering({Ext.KEY_SHARE: share(X25519, bytes(31))})),
    Row("an all-zero share", ILLEGAL, answering({Ext.KEY_SHARE: share(X25519, bytes(32))})),
    Row("a share of another group", ILLEGAL, answering({Ext.KEY_SHARE: share(23, bytes(65))})),
    Row(
        "leftovers behind a share", DECODE, answering({Ext.KEY_SHARE: share(29, b"x" * 32) + b"\0"})
    ),
    Row("an unknown extension", UNSUPPORTED, answering({0x5A5A: b""})),
    Row("a PSK that was not offered", UNSUPPORTED, answering({Ext.PRE_SHARED_KEY: b"\0\0"})),
    Row("an extension of another message", ILLEGAL, answering({ALPN: write_alpn((b"h2",))})),
    # HelloRetryRequest
    Row("a retry for a group not offered", ILLEGAL, asking_again({Ext.KEY_SHARE: b"\0\x17"})),
    Row("a retry for a group already shared", ILLEGAL, asking_again({Ext.KEY_SHARE: b"\0\x1d"})),
    Row("a retry that changes nothing", ILLEGAL, asking_again({Ext.KEY_SHARE: None})),
    Row("a retry with a share", DECODE, asking_again()),
    Row("a retry with an empty cookie", DECODE, asking_again({51: None, Ext.COOKIE: b"\0\0"})),
    Row("a retry with an unknown extension", UNSUPPORTED, asking_again({0x5A5A: b""})),
    Row("a second retry", UNEXPECTED, two_retries),
    # Keys change on a message boundary only
    Row("plaintext behind ServerHello", UNEXPECTED, packing(Type.SERVER_HELLO, b"\x08\0\0\2\0\0")),
    Row("one byte behind ServerHello", UNEXPECTED, packing(Type.SERVER_HELLO, b"\x08")),
    Row("a ticket behind Finished", UNEXPECTED, packing(Type.FINISHED, b"\4\0\0\0")),
    # EncryptedExtensions
    Row("no EncryptedExtensions", UNEXPECTED, changing(Type.ENCRYPTED_EXTENSIONS, left_out)),
    Row("leftovers", DECODE, changing(Type.ENCRYPTED_EXTENSIONS, lambda b: b + b"\0")),
    Row("an unasked unknown extension", UNSUPPORTED, extending({0x5A5A: b""})),
    Row("an unasked ALPN", UNSUPPORTED, extending({ALPN: write_alpn((b"h2",))})),
    Row("an unasked server_name", UNSUPPORTED, extending({Ext.SERVER_NAME: b""})),
    Row("accepted early data", UNSUPPORTED, extending({Ext.EARLY_DATA: b""})),
    Row("a key_share there", ILLEGAL, extending({Ext.KEY_SHARE: b"\0\x1d"})),
    Row("signature_algorithms there", ILLEGAL, extending({Ext.SIGNATURE_ALGORITHMS: b"\0\2\4\3"})),
    Row("supported_versions there", ILLEGAL, extending({Ext.SUPPORTED_VERSIONS: b"\3\4"})),
    Row("a cookie there", ILLEGAL, extending({Ext.COOKIE: b"\0\1c"})),
    Row("a server_name with content", DECODE, extending({0: b"x"}, server_name="llm.test")),
    Row("malformed groups", DECODE, extending({Ext.SUPPORTED_GROUPS: b"\0\1\0"})),
    Row("a record_size_limit of 63", ILLEGAL, extending({Ext.RECORD_SIZE_LIMIT: b"\0\x3f"})),
    Row("a record_size_limit over 2^14", ILLEGAL, extending({Ext.RECORD_SIZE_LIMIT: b"\x40\2"})),
    Row(
        "a protocol not offered",
        ILLEGAL,
        extending({ALPN: write_alpn((b"h2",))}, alpn_protocols=(b"pqproxy/1",)),
    ),
    Row(
        "two protocols",
        DECODE,
        extending({ALPN: write_alpn((b"a", b"b"))}, alpn_protocols=(b"a", b"b")),
    ),
    # CertificateRequest
    Row("a request with a context", ILLEGAL, requesting(lambda b: b"\1c" + b[1:])),
    Row("a request without schemes", MISSING, requesting(NO_SCHEMES)),
    Row("a request with an empty list", DECODE, requesting(EMPTY_SCHEMES)),
    Row(
        "a request with an extension of a hello",
        ILLEGAL,
        requesting(with_extensions(CertificateRequest, {Ext.KEY_SHARE: b""})),
    ),
    # Who the server is
    Row("no Certificate message", UNEXPECTED, changing(Type.CERTIFICATE, left_out)),
    Row("no certificate", DECODE, changing(Type.CERTIFICATE, NOBODY)),
    Row("a context in Certificate", ILLEGAL, changing(Type.CERTIFICATE, lambda b: b"\1c" + b[1:])),
    Row("a stapled extension", UNSUPPORTED, changing(Type.CERTIFICATE, stapled(5))),
    Row("an unknown extension stapled", UNSUPPORTED, changing(Type.CERTIFICATE, stapled(0x5A5A))),
    Row("key_share stapled", ILLEGAL, changing(Type.CERTIFICATE, stapled(Ext.KEY_SHARE))),
    Row(
        "a certificate that may not sign",
        Alert.UNSUPPORTED_CERTIFICATE,
        changing(Type.CERTIFICATE, rewritten(Certificate, chain=NOT_FOR_SIGNING)),
    ),
    Row("no proof", UNEXPECTED, changing(Type.CERTIFICATE_VERIFY, left_out)),
    Row("a proof with leftovers", DECODE, changing(Type.CERTIFICATE_VERIFY, lambda b: b + b"\0")),
    Row("a scheme not offered", ILLEGAL, proving(algorithm=0x0807)),
    Row("a scheme of another key", ILLEGAL, proving(algorithm=0x0804)),
    Row("a scheme for chains only", ILLEGAL, proving(algorithm=0x0401)),
    Row("SHA-1", ILLEGAL, proving(algorithm=0x0203)),
    Row("an empty signature", DECRYPT, proving(signature=b"")),
    Row("a changed signature", DECRYPT, changing(Type.CERTIFICATE_VERIFY, flipped(-1))),
    Row("a changed EncryptedExtensions", DECRYPT, extending({Ext.SUPPORTED_GROUPS: b"\0\2\0\x1d"})),
    Row("a changed Finished", DECRYPT, changing(Type.FINISHED, flipped(0))),
    Row("a Finished too short", DECODE, changing(Type.FINISHED, lambda b: b[:-1])),
    Row("a Finished too long", DECODE, changing(Type.FINISHED, lambda b: b + b"\0")),
    Row(
        "a name that is not expected",
        Alert.ACCESS_DENIED,
        lambda: judged("client", Verdict.reject(Alert.ACCESS_DENIED, "another name")),
    ),
    Row(
        "a chain that nobody trusts",
        Alert.UNKNOWN_CA,
        lambda: judged("client", Verdict.reject(Alert.UNKNOWN_CA, "unknown root")),
    ),
    Row("a judge that fails", Alert.INTERNAL_ERROR, lambda: judged("client", InvalidInput("no"))),
    # Afterwards
    Row("a ticket without a ticket", DECODE, ticket(bytes(8) + b"\0" + b"\0\0" + b"\0\0")),
    Row("a ticket with leftovers", DECODE, ticket(bytes(8) + b"\0" + b"\0\1t" + b"\0\0" + b"\0")),
    Row("a ticket with a cookie", ILLEGAL, ticket(bytes(8) + b"\0\0\1t\0\5\0\x2c\0\1c")),
    Row(
        "a ticket over 16 KB",
        ILLEGAL,
        lambda: connected("client").says(22, b"\4\0\x40\1", stage="a"),
    ),
    Row(
        "a ticket within the handshake", UNEXPECTED, lambda: waiting("client").says(22, b"\4\0\0\0")
    ),
]
