"""Where a deviation can happen: at the first hello, within the handshake, or after it."""

from dataclasses import dataclass, replace

from cryptography import x509

from pqproxy.tls import AlertDescription, ClientAuthentication
from pqproxy.tls.codepoints import ExtensionType
from tests.support import pki
from tests.support.deviation import Scene
from tests.support.hostile import seal
from tests.support.playbook import client_hello, server_hello, shares

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
REQUIRE = {"client_authentication": ClientAuthentication.REQUIRE}
FINISHED = b"\x14\0\0\x30" + bytes(48)
KEY_UPDATE = b"\x18\0\0\1\0"
ENCRYPTING = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
NOT_FOR_SIGNING = (
    pki.root().issue(name="encrypting", key_usage=False, extra=((ENCRYPTING, True),)).chain_der
)


@dataclass(frozen=True)
class Row:
    """One row of the alert table: what the peer does, the one alert it gets, and the scene."""

    name: str
    alert: AlertDescription
    scene: object


def first(role):
    """Nothing was heard yet; a client has said its hello."""
    scene = Scene(role)
    scene.hear()
    return scene


def waiting(role="server", **config):
    """Handshake keys are on, and the peer has not used its own."""
    return Scene(role, ours=config).until_our_flight()


def connected(role="server", **config):
    return Scene(role, ours=config).play()


def hello(extensions=None, ours=None, **fields):
    """A server that is told one ClientHello of a stranger."""
    scene = Scene("server", ours=ours or {})
    return scene.says_plainly(HANDSHAKE, client_hello(extensions, **fields).message().encode())


def hellos(extensions=None, before=None, **fields):
    """A server that asked again, and is told a second hello."""
    scene = hello({ExtensionType.KEY_SHARE: shares(), **(before or {})})
    second = client_hello(extensions, **fields).message().encode()
    return scene.says_plainly(HANDSHAKE, second)


def answer(extensions=None, ours=None, **fields):
    """A client that is told one ServerHello of a stranger, who echoes its session id."""
    scene = Scene("client", ours=ours or {})
    session_id = bytes(scene.hear()[44:76])
    fields = {"legacy_session_id_echo": session_id, **fields}
    said = server_hello(extensions, **fields).message().encode()
    return scene.says_plainly(HANDSHAKE, said)


def by_client(kind, change, **config):
    """A handshake in which the client changes one message; it has a certificate."""
    return Scene("server", {kind: change}, ours=config, peer_has_certificate=True).play()


def by_server(kind, change, theirs=None, **config):
    """A handshake in which the server changes one message."""
    return Scene("client", {kind: change}, ours=config, theirs=theirs or {}).play()


def judged(role, verdict):
    """A handshake in which the peer's chain gets this verdict."""
    ours = REQUIRE if role == "server" else {}
    certified = role == "server"
    scene = Scene(role, ours=ours, judge=lambda _: verdict, peer_has_certificate=certified)
    return scene.play()


def rewritten(kind, **fields):
    """Read a body, set fields, write it again."""
    return lambda body: replace(kind.read(body), **fields).message().body


def with_extensions(kind, changes, *context):
    """Read a body, set extensions, write it again."""

    def change(body):
        read = kind.read(body, *context)
        return replace(read, extensions={**read.extensions, **changes}).message().body

    return change


def stapled(extension):
    """A Certificate of one entry, with an extension behind it."""

    def change(body):
        entry = body[4:-2] + b"\0\4" + extension.to_bytes(2, "big") + b"\0\0"
        return b"\0" + len(entry).to_bytes(3, "big") + entry

    return change


def flipped(position):
    """One bit of it is another."""

    def change(data):
        changed = bytearray(data)
        changed[position] ^= 1
        return bytes(changed)

    return change


def left_out(_body):
    return None


def changed_record(role, position):
    """A record under the right key, changed in transit."""
    scene = waiting(role)
    return scene.feed(flipped(position)(seal(scene.key("handshake"), HANDSHAKE, FINISHED)))
