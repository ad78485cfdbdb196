"""Our engine placed within the handshakes of RFC 8448, behind what one side recorded."""

from dataclasses import replace

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from pqproxy import tls
from pqproxy.crypto import InvalidSignature, load_provider
from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.connection import Connection
from pqproxy.tls.handshake import TrafficSecret, Transcript
from pqproxy.tls.handshake_client import Retry, WaitServerHello
from pqproxy.tls.input import Input
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.messages import Certificate, CertificateVerify, ClientHello, HandshakeMessage
from pqproxy.tls.output import Output
from pqproxy.tls.server_authentication import ServerContext, WaitCertificate, WaitFinished
from tests.support.hostile import KeyLog
from tests.support.loopback import Endpoint
from tests.vectors.traces import (
    CLIENT,
    CLIENT_AUTHENTICATION,
    COMPATIBILITY,
    ONE_RTT,
    RESUMED,
    RETRY,
    SERVER,
    SUITE,
    load,
)

X25519, P256 = tls.NamedGroup.x25519, tls.NamedGroup.secp256r1
CCS = bytes.fromhex("140303000101")
GROUPS = {ONE_RTT: X25519, RETRY: P256, CLIENT_AUTHENTICATION: X25519, COMPATIBILITY: X25519}
LABELS = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET": "c hs traffic",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET": "s hs traffic",
    "CLIENT_TRAFFIC_SECRET_0": "c ap traffic",
    "SERVER_TRAFFIC_SECRET_0": "s ap traffic",
}


class ShortRsa:
    """RSA-PSS with keys of any length: those of the traces have 1024 bits, which ours refuses."""

    name, key_algorithm, slow = "RSA-PSS-SHA256", "rsa", False

    def verify(self, public_key, signature, message):
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        try:
            public_key.verify(signature, message, scheme, hashes.SHA256())
        except WrongSignature:
            raise InvalidSignature from None


_OURS = load_provider()
PROVIDER = replace(_OURS, signatures={**_OURS.signatures, ShortRsa.name: ShortRsa()})


class Replayed(Connection):
    """A connection that stands somewhere within a handshake."""

    __slots__ = ()

    def __init__(self, state, incoming, outgoing, key_log):
        super().__init__(PROVIDER, incoming, outgoing, key_log)
        self._state = state


def entropy_of(*values):
    """Hands out these values, one a call."""
    remaining = list(values)
    return lambda _: remaining.pop(0)


def key_entropy(trace, side, group):
    """The bytes from which our key generation makes the recorded private key."""
    scalar = trace.find("create an ephemeral", side)[-1].values["private key"]
    if group == X25519:
        return scalar
    return (int.from_bytes(scalar, "big") - 1).to_bytes(40, "big")


def client_credentials(trace):
    chain = Certificate.read(trace.message("Certificate", CLIENT).body).chain
    return (tls.Credential(chain, None, "rsa"),)


def client_of(trace, section):
    """Our client behind the last recorded ClientHello, and its key log."""
    hello = ClientHello.read(trace.message("ClientHello", index=-1).body)
    group = GROUPS[section]
    credentials = client_credentials(trace) if section == CLIENT_AUTHENTICATION else ()
    config = tls.ClientConfig(
        PROVIDER, "server", groups=(X25519, P256), credentials=credentials, padding=0
    )
    context = ClientContext(config, KeyExchanges(PROVIDER), entropy_of())
    share = context.exchanges[group].offer(entropy_of(key_entropy(trace, CLIENT, group)))
    retry = None
    if section == RETRY:
        first = Transcript(SUITE).plus(trace.message("ClientHello")).replaced_by_hash()
        transcript = first.plus(trace.message("ServerHello")).plus(hello.message())
        retry = Retry(SUITE.suite, transcript)
    state = WaitServerHello(context, ClientOffer(hello, {group: share}), retry)
    log = KeyLog()
    connection = Replayed(state, Input(hello_seen=True), Output(0, 0x0303), log)
    connection.client_random = hello.random
    return Endpoint(connection), log


def flight(trace, side):
    """The recorded records of a side's handshake, hellos of a retry left out."""
    kinds = ("send handshake record", "send change_cipher_spec record")
    steps = [step for step in trace.find("send", side) if step.name in kinds]
    hellos = [
        index
        for index, step in enumerate(steps)
        if step.name == kinds[0] and step.values["payload"][0] in (1, 2)
    ]
    first = hellos[-1] + (side == CLIENT)
    sent = [
        step.values["complete record"]
        for step in steps[first:]
        if step.values["payload"][0] != 4  # tickets come afterwards
    ]
    assert sent
    return b"".join(sent)


def afterwards(trace, side):
    """(payload, record) of what a side sends after its handshake."""
    return [
        (step.values["payload"], step.values["complete record"])
        for step in trace.find("send", side)
        if step.name in ("send application_data record", "send alert record")
        or step.values["payload"][0] == 4
    ]


def answer(endpoint, trace, stream):
    """Feed a stream, and sign as the recorded client did."""
    endpoint.connection.receive_data(stream)
    while (event := endpoint.connection.next_event()) is not None:
        if isinstance(event, tls.SignatureRequested):
            recorded = CertificateVerify.read(trace.message("CertificateVerify", CLIENT).body)
            endpoint.connection.provide(event.token, recorded.signature)
        elif isinstance(event, tls.ChainReceived):
            endpoint.connection.provide(event.token, tls.Verdict.accept())
        else:
            endpoint.events.append(event)


def server_config(trace, section, groups=(X25519,)):
    shown = load(ONE_RTT) if section == RESUMED else trace  # a resumption shows no certificate
    chain = Certificate.read(shown.message("Certificate", SERVER).body).chain
    algorithm = "ecdsa-p256" if section == CLIENT_AUTHENTICATION else "rsa"
    return tls.ServerConfig(
        (tls.Credential(chain, None, algorithm),),
        PROVIDER,
        groups=groups,
        cipher_suites=(tls.CipherSuite.TLS_AES_128_GCM_SHA256,),
        client_authentication=tls.ClientAuthentication.REQUIRE
        if section == CLIENT_AUTHENTICATION
        else tls.ClientAuthentication.NONE,
        padding=0,
    )


def server_of(trace, section):
    """Our server where the recorded one stood after its flight."""
    keys = {
        label: TrafficSecret(name, SUITE, trace.secret(label)) for name, label in LABELS.items()
    }
    negotiated = tls.Negotiated(X25519, SUITE.suite, 0x0804, None, (), "server", None, False)
    state = WaitFinished(
        _transcript_of_server_flight(trace), keys["c hs traffic"], keys["c ap traffic"], negotiated
    )
    if section == CLIENT_AUTHENTICATION:
        config = server_config(trace, section)
        state = WaitCertificate(ServerContext(config, KeyExchanges(PROVIDER), None), state)
    incoming, outgoing = Input(hello_seen=True), Output(0, 0x0303)
    incoming.use_secret(SUITE, trace.secret("c hs traffic"))
    outgoing.use_secret(SUITE, trace.secret("s ap traffic"))
    return Endpoint(Replayed(state, incoming, outgoing, None))


def _transcript_of_server_flight(trace):
    """ClientHello...server Finished; a first hello counts as its hash."""
    transcript = Transcript(SUITE)
    hellos = 0
    for data in trace.messages():
        hellos += data[0] == 1
        if data[0] == 2 and hellos == 1 and len(trace.find("construct a ClientHello")) == 2:
            transcript = transcript.replaced_by_hash()
        transcript = transcript.plus(HandshakeMessage(data[0], data[4:]))
        if data[0] == 20:
            return transcript
    raise AssertionError("no Finished")
