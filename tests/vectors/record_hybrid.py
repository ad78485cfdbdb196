"""Records hybrid handshakes with OpenSSL 4 as the other side.

    python -m tests.vectors.record_hybrid

Each group in both roles, at once and after a HelloRetryRequest. What OpenSSL logs as its secrets
is the known answer: it computed them from its own private key and our share.
"""

import hashlib
import json

from tests.support import pki
from tests.support.loopback import PROVIDER, credential
from tests.support.openssl_peer import OpenSslEndpoint
from tests.vectors.hybrid_replay import DIRECTORY, endpoint, told_provider

GROUPS = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")
OUR_DATA, THEIR_DATA = b"said by this engine", b"said by OpenSSL"


class Recorder:
    """One handshake, our side's unpredictable values noted as they are made."""

    def __init__(self, group, role, retry):
        self.entry = {
            "title": f"{group}, our {role}" + (", after a HelloRetryRequest" if retry else ""),
            "role": role,
            "group": group,
            "groups": self._our_groups(group, role, retry),
            "cipher_suite": "TLS_AES_128_GCM_SHA256" if retry else "TLS_AES_256_GCM_SHA384",
            "hello_retry": retry,
            "entropy": "",
        }
        leaf = pki.root().issue(dns=("llm.test",), name="server")
        credentials = (credential(leaf),)
        provider = told_provider(PROVIDER, self._encapsulate, self._sign)
        self.ours = endpoint(self.entry, provider, self._entropy, credentials, lambda _: None)
        if role == "server":
            self.entry["chain"] = [der.hex() for der in leaf.chain_der]
            shared = ("*x25519", group) if retry else (group,)
            self.theirs = OpenSslEndpoint.client(trust=pki.root(), groups=shared)
        else:
            suites = self.entry["cipher_suite"].encode()
            self.theirs = OpenSslEndpoint.server(leaf=leaf, groups=(group,), cipher_suites=suites)

    def record(self):
        """Shake hands, say something each, and return what was recorded."""
        steps = self.entry["steps"] = []
        while self._pass_on(steps):
            pass
        self.ours.send(OUR_DATA)
        self.theirs.send(THEIR_DATA)
        self._pass_on(steps, sent=OUR_DATA.hex())
        assert (bytes(self.theirs.received), bytes(self.ours.received)) == (OUR_DATA, THEIR_DATA)
        assert self.theirs.group == self.entry["group"]

        self.entry["received"] = THEIR_DATA.hex()
        lines = map(str.strip, self.theirs.settings.key_log)
        self.entry["key_log"] = sorted(line for line in lines if "EXPORTER" not in line)
        return self.entry

    def _pass_on(self, steps, **about):
        """One flight of ours and one of theirs; false when both are silent."""
        flights = []
        if flight := self.ours.take():
            flights.append({"ours": flight.hex(), **about})
            self.theirs.feed(flight)
        if flight := self.theirs.take():
            flights.append({"theirs": flight.hex()})
            self.ours.feed(flight)
        steps += flights
        return bool(flights)

    @staticmethod
    def _our_groups(group, role, retry):
        """A client that is to be asked again shares a key for another group first."""
        if role == "client" and retry:
            return ["SecP256r1MLKEM768" if group == GROUPS[0] else GROUPS[0], group]
        return [group]

    def _entropy(self, count):
        """Not random: the same recording has the same keys of ours each time."""
        label = f"{self.entry['title']} {len(self.entry['entropy'])}".encode()
        value = hashlib.shake_256(label).digest(count)
        self.entry["entropy"] += value.hex()
        return value

    def _encapsulate(self, kem, key):
        made = kem.encapsulate(key)
        self.entry["encapsulation"] = [made.ciphertext.hex(), made.shared_secret.hex()]
        return made

    def _sign(self, algorithm, key, content):
        signature = algorithm.sign(key, content)
        self.entry["signature"] = signature.hex()
        return signature


def main():
    """Write one file a group."""
    for group in GROUPS:
        cases = [(role, retry) for role in ("client", "server") for retry in (False, True)]
        entries = [Recorder(group, *case).record() for case in cases]
        path = DIRECTORY / f"{group}.json"
        path.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
