"""Our client within the handshakes of RFC 8448, byte for byte.

A hello of ours has other extensions, in another order, than that of the traces. So our client
starts from the recorded ClientHello and its private key; everything that follows is compared.
"""

from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.handshake_client import WaitServerHello
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.messages import ClientHello
from tests.vectors import traces
from tests.vectors.replay import (
    CCS,
    GROUPS,
    LABELS,
    P256,
    PROVIDER,
    X25519,
    afterwards,
    answer,
    client_of,
    entropy_of,
    flight,
    key_entropy,
)
from tests.vectors.traces import (
    CLIENT,
    COMPATIBILITY,
    FULL,
    ONE_RTT,
    RETRY,
    SERVER,
)

each_trace = pytest.mark.parametrize("section", FULL)


@pytest.mark.usefixtures("any_rsa_key")
@each_trace
def test_our_client_answers_the_recorded_server_byte_for_byte(section):
    trace = traces.load(section)
    client, log = client_of(trace, section)
    answer(client, trace, flight(trace, SERVER))
    sent = client.take()

    assert client.failure is None
    assert client.negotiated.group == GROUPS[section]
    assert dict(log) == {name: trace.secret(label) for name, label in LABELS.items()}
    assert sent.removeprefix(CCS) == flight(trace, CLIENT).removeprefix(CCS)
    if section == COMPATIBILITY:
        assert sent == CCS + flight(trace, CLIENT).removeprefix(CCS)


@pytest.mark.usefixtures("any_rsa_key")
@each_trace
@pytest.mark.parametrize("size", [1, 100])
def test_our_client_does_so_from_any_pieces(section, size):
    trace = traces.load(section)
    client, _ = client_of(trace, section)
    stream = flight(trace, SERVER)
    for start in range(0, len(stream), size):
        answer(client, trace, stream[start : start + size])

    assert client.take().removeprefix(CCS) == flight(trace, CLIENT).removeprefix(CCS)


@pytest.mark.usefixtures("any_rsa_key")
@each_trace
def test_our_client_reads_and_writes_what_follows_byte_for_byte(section):
    trace = traces.load(section)
    client, _ = client_of(trace, section)
    answer(client, trace, flight(trace, SERVER))
    client.take()
    client.feed(b"".join(record for _, record in afterwards(trace, SERVER)))
    data = [payload for payload, _ in afterwards(trace, SERVER) if payload[0] not in (1, 4)]

    assert client.failure is None
    assert client.peer_closed
    assert bytes(client.received) == b"".join(data)
    for payload, record in afterwards(trace, CLIENT):
        if payload == b"\1\0":
            client.close()
        else:
            client.send(payload)
        assert client.take() == record


@pytest.mark.parametrize("section", [ONE_RTT, RETRY, COMPATIBILITY])
def test_a_certificate_of_1024_bits_is_refused(section):
    trace = traces.load(section)
    client, _ = client_of(trace, section)
    answer(client, trace, flight(trace, SERVER))

    assert client.failure.alert == tls.AlertDescription.UNSUPPORTED_CERTIFICATE


@pytest.mark.usefixtures("any_rsa_key")
@pytest.mark.parametrize("position", range(40, 600, 35))
def test_a_recorded_flight_with_one_bit_changed_is_refused(position):
    trace = traces.load(ONE_RTT)
    client, _ = client_of(trace, ONE_RTT)
    changed = bytearray(flight(trace, SERVER))
    changed[position] ^= 1
    answer(client, trace, bytes(changed))

    assert client.failure is not None
    assert not client.handshake_complete


def test_our_client_answers_the_recorded_retry_request():
    """With the recorded key and but for its padding, the second hello is the recorded one."""
    trace = traces.load(RETRY)
    first = ClientHello.read(trace.message("ClientHello").body)
    recorded = ClientHello.read(trace.message("ClientHello", index=1).body)
    config = tls.ClientConfig(PROVIDER, "server", groups=(X25519, P256))
    entropy = entropy_of(key_entropy(trace, CLIENT, P256))
    context = ClientContext(config, KeyExchanges(PROVIDER), entropy)
    step = WaitServerHello(context, ClientOffer(first, {X25519: None})).on_message(
        trace.message("ServerHello")
    )
    again = step.next_state.offer.hello
    unpadded = {k: v for k, v in recorded.extensions.items() if k != ExtensionType.PADDING}

    assert again == replace(recorded, extensions=unpadded)
