"""Configurations with real certificates, as `pqproxy check` reads them."""

import json

from pqproxy.checking.findings import Level
from pqproxy.checking.subject import read_subject
from tests.support import pki

SERVER, CLIENT = "spiffe://corp/llm", "spiffe://corp/app"


class Place:
    """A directory with one authority and a configuration in it."""

    def __init__(self, directory):
        self.directory = directory
        self.root = pki.root("ecdsa-p256")
        self.write("root.crt", self.root.certificate_pem)
        self.identity("server", uris=(SERVER,), dns=("localhost",))
        self.identity("client", uris=(CLIENT,))

    def write(self, name, content, mode=0o600):
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def identity(self, name, **changes):
        leaf = self.root.issue(**changes)
        self.write(f"{name}.crt", leaf.certificate_pem)
        self.write(f"{name}.key", leaf.key_pem)
        return leaf

    def entry(self, role="ingress", **changes):
        shared = {"name": "llm", "listen": "127.0.0.1:0", "trust": "mesh"}
        if role == "ingress":
            own = {"forward": "127.0.0.1:9", "identities": ["server"], "allow": [CLIENT]}
        else:
            own = {"connect": ["localhost:9"], "identities": ["client"], "expect": [SERVER]}
        return shared | own | changes

    def config(self, **changes):
        names = {
            name
            for role in ("ingress", "egress")
            for entry in changes.get(role, ())
            for name in entry["identities"]
        }
        document = {
            "version": 1,
            "identities": {
                name: {"certificate": f"{name}.crt", "key": f"{name}.key"} for name in names
            },
            "trust": {"mesh": {"roots": ["root.crt"]}},
            **changes,
        }
        return self.write("p.yaml", json.dumps(document).encode())

    def subject(self, role="ingress", **changes):
        """One listener, and what is changed of it."""
        return read_subject(self.config(**{role: [self.entry(role, **changes)]}))

    def whole(self, **sections):
        return read_subject(self.config(**{"ingress": [self.entry()], **sections}))


def levels(findings):
    """{name: worst level}."""
    order = list(Level)
    found = {}
    for one in findings:
        found[one.name] = max(found.get(one.name, Level.GOOD), one.level, key=order.index)
    return found


def only(findings, name):
    """The one finding of that name."""
    (one,) = [finding for finding in findings if finding.name == name]
    return one
