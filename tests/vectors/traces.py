"""The handshake traces of RFC 8448, read from the vectors beside the repository.

A trace is a list of steps: who does something, what, and with which values, in hex.
"""

from dataclasses import dataclass
from functools import cache

from pqproxy.tls.codepoints import CipherSuite
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.messages import HandshakeMessage
from pqproxy.tls.secrets import Secret
from tests.support.vectors import load_vectors

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
ONE_RTT, RESUMED, RETRY, CLIENT_AUTHENTICATION, COMPATIBILITY = 3, 4, 5, 6, 7  # by section
SECTIONS = (ONE_RTT, RESUMED, RETRY, CLIENT_AUTHENTICATION, COMPATIBILITY)
FULL = (ONE_RTT, RETRY, CLIENT_AUTHENTICATION, COMPATIBILITY)  # without a pre-shared key
CLIENT, SERVER = "client", "server"


@dataclass(frozen=True)
class Step:
    side: str
    name: str
    values: dict


class Trace:
    """One handshake."""

    def __init__(self, steps):
        self.steps = [
            Step(
                step["side"],
                step["step"],
                {name: bytes.fromhex(value) for name, value in step["values"].items()},
            )
            for step in steps
        ]

    def find(self, beginning, side=None):
        """The steps with values whose name begins so."""
        return [
            step
            for step in self.steps
            if step.values and step.name.startswith(beginning) and side in (None, step.side)
        ]

    def messages(self, side=None):
        """Every handshake message, encoded, in the order it was constructed."""
        return [value for step in self.find("construct a", side) for value in step.values.values()]

    def message(self, name, side=None, index=0):
        """One handshake message, by the name the trace gives it."""
        found = [s.values[name] for s in self.find("construct a", side) if name in s.values]
        data = found[index]
        return HandshakeMessage(data[0], data[4:])

    def private_key(self, side, index=0):
        return self.find("create an ephemeral", side)[index].values["private key"]

    def records(self, side=None):
        """(payload, complete record) of every record of a side."""
        return [
            (step.values["payload"], step.values["complete record"])
            for step in self.find("send", side)
        ]

    def secret(self, label):
        """A derived secret by its label, such as `c hs traffic`."""
        return Secret(self.find(f'derive secret "tls13 {label}"')[0].values["expanded"])

    def derivation_hash(self, label):
        return self.find(f'derive secret "tls13 {label}"')[0].values["hash"]

    def extracted(self, name):
        return self.find(f'extract secret "{name}"')[0].values


@cache
def _traces():
    return {trace["section"]: Trace(trace["steps"]) for trace in load_vectors("rfc8448.json")}


def load(section):
    """A trace by its section of the RFC; skips the test without the vectors."""
    return _traces()[section]
