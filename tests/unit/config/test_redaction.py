import json

from pqproxy.config.redaction import redacted
from pqproxy.config.values import Ingress, Settings, TcpAddress, UnixAddress
from tests.support import pki


def test_the_configuration_shows_what_a_person_wrote():
    listener = Ingress(
        name="llm",
        listen=UnixAddress("/run/llm.sock"),
        forward=TcpAddress("127.0.0.1", 9),
        identities=("hybrid",),
        trust=None,
    )
    leaf = pki.root().issue().files("hybrid")
    held = Settings(identities=(leaf,), trust=(), ingress=(listener,), egress=())

    shown = json.loads(json.dumps(redacted(held)))

    assert shown["ingress"][0]["listen"] == "unix:/run/llm.sock"
    assert shown["ingress"][0]["forward"] == "127.0.0.1:9"
    assert shown["ingress"][0]["policy"] == "require"
    assert shown["identities"] == [
        {
            "name": "hybrid",
            "certificate": "redacted",
            "key": "redacted",
            "source": "hybrid.crt, hybrid.key",
            "passphrase": None,
        }
    ]
