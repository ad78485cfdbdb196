"""Our engine in hybrid handshakes that were recorded with OpenSSL on the other side.

A recording holds what our side does not compute from its input: its entropy and, as server, its
encapsulation and its signature. All else it must compute again, byte for byte.
"""

import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

from pqproxy import tls
from tests.support.loopback import Endpoint

DIRECTORY = Path(__file__).parent / "hybrid"
SIGNATURE = "ECDSA-P256-SHA256"
# What was offered when the recordings were made: schemes that other stacks speak too.
STANDARD_KEYS = ("ecdsa-p256", "ecdsa-p384", "mldsa65", "mldsa87", "mldsa44", "rsa")


def load_recordings():
    """All recordings, as `record_hybrid.py` wrote them."""
    files = sorted(DIRECTORY.glob("*.json"))
    return list(chain.from_iterable(json.loads(path.read_text()) for path in files))


class Told:
    """An algorithm that answers some calls as it was told, and the others itself."""

    def __init__(self, algorithm, **answers):
        self._algorithm = algorithm
        self.__dict__.update(answers)

    def __getattr__(self, name):
        return getattr(self._algorithm, name)


def told_provider(provider, encapsulate, sign):
    """A provider whose random operations are done by `encapsulate(kem, ...)` and `sign(...)`."""

    def told(kem):
        return Told(kem, encapsulate=lambda key: encapsulate(kem, key))

    kems = {name: told(kem) for name, kem in provider.kems.items()}
    algorithm = provider.signatures[SIGNATURE]
    signer = Told(algorithm, sign=lambda key, content: sign(algorithm, key, content))
    return replace(provider, kems=kems, signatures={**provider.signatures, SIGNATURE: signer})


def endpoint(recording, provider, entropy, credentials, key_log):
    """Our side of a recording."""
    shared = {
        "groups": tuple(tls.NamedGroup[name] for name in recording["groups"]),
        "cipher_suites": (tls.CipherSuite[recording["cipher_suite"]],),
        "padding": 0,
        "signature_schemes": tls.SCHEMES.handshake_schemes(STANDARD_KEYS),
        "chain_signature_schemes": tls.SCHEMES.chain_schemes(STANDARD_KEYS),
    }
    if recording["role"] == "client":
        shares = shared["groups"][:1]
        config = tls.ClientConfig(provider, "llm.test", key_shares=shares, **shared)
        return Endpoint(tls.ClientConnection(config, entropy=entropy, key_log=key_log))
    config = tls.ServerConfig(credentials, provider, **shared)
    return Endpoint(tls.ServerConnection(config, entropy=entropy, key_log=key_log))
