"""Composite signatures against ML-DSA, ECDSA and Ed25519 of Go: neither ours nor OpenSSL's.

Go has no composite signatures; `go_composite/main.go` puts them together after the draft.
"""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from pqproxy.crypto import load_provider
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import InvalidHalves
from pqproxy.signing import sign
from pqproxy.signing.envelope import Envelope
from tests.support import pki
from tests.support.programs import build_go

pytestmark = [pytest.mark.interop, pytest.mark.peer("go")]

SIGNATURES = load_provider().signatures
KEYS = {each.name: pki.key(each.key_algorithm) for each in COMPOSITES}
MESSAGE, CONTEXT = b"a message", b"a context"


@pytest.fixture(scope="module")
def go(request):
    """(list of tasks) -> list of answers, bytes where they are bytes."""
    # The directory of the TLS peer: what both are built of is compiled once.
    directory = request.config.cache.mkdir("go-peer")
    program = build_go(Path(__file__).parent / "go_composite", directory)

    def ask(*tasks):
        asked = json.dumps([{k: _encoded(v) for k, v in task.items()} for task in tasks])
        done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return ask


def _encoded(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def question(name, signature, message=MESSAGE, context=b"", key=None):
    public_key = (key or KEYS[name].public_key()).public_bytes_raw()
    return {
        "Algorithm": name,
        "Message": message,
        "Context": context,
        "PublicKey": public_key,
        "Signature": signature,
    }


def ours(name, signature, message=MESSAGE, context=b""):
    """What we find each half to be."""
    try:
        SIGNATURES[name].verify(KEYS[name].public_key(), signature, message, context)
    except InvalidHalves as error:
        return list(error.halves.values())
    return [True, True]


def theirs(answers):
    return [[answer["MlDsa"], answer["Traditional"]] for answer in answers]


def test_go_verifies_what_we_sign(go):
    tasks = [
        question(name, SIGNATURES[name].sign(key, MESSAGE, context), context=context)
        for name, key in KEYS.items()
        for context in (b"", CONTEXT, bytes(255))
    ]

    assert theirs(go(*tasks)) == [[True, True]] * len(tasks)


def test_we_verify_what_go_signs_with_the_same_key(go):
    tasks = []
    for name, key in KEYS.items():
        halves = key.algorithm.traditional
        if halves.name == "Ed25519":
            scalar = halves.private_bytes(key.traditional)
        else:
            value = key.traditional.private_numbers().private_value
            scalar = value.to_bytes(halves.curve.key_size // 8)
        seed = key.ml_dsa.private_bytes_raw()
        texts = {"Algorithm": name, "Message": MESSAGE, "Context": CONTEXT}
        tasks.append({**texts, "Seed": seed, "Scalar": scalar})

    for (name, key), answer in zip(KEYS.items(), go(*tasks), strict=True):
        assert base64.b64decode(answer["PublicKey"]) == key.public_key().public_bytes_raw()
        made = base64.b64decode(answer["Signature"])
        assert ours(name, made, MESSAGE, CONTEXT) == [True, True]
        assert ours(name, made, MESSAGE) == [False, False]


def test_go_and_we_find_the_same_of_each_half(go):
    """Hidden differences: what one takes and the other does not."""
    questions = []
    for name, key in KEYS.items():
        good = SIGNATURES[name].sign(key, MESSAGE)
        cut = key.algorithm.ml_dsa.signature_length
        forms = [good, good[:cut], good[:-1], good + b"\0", b"\0" * len(good)]
        for position in (0, 40, cut // 2, cut - 1, cut, cut + 1, cut + 3, cut + 9, len(good) - 1):
            forms.append(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        if "ECDSA" in name:
            order = key.traditional.curve.group_order
            r, s = decode_dss_signature(good[cut:])
            twins = ((r, order - s), (r, s + order), (r + order, s), (0, s), (r, 0), (order, s))
            forms += [good[:cut] + encode_dss_signature(*twin) for twin in twins]
            forms.append(good[:cut] + b"\x30\x80" + good[cut + 2 :] + b"\0\0")
        questions += [(name, form) for form in forms]

    found = theirs(go(*(question(name, form) for name, form in questions)))
    assert found == [ours(name, form) for name, form in questions]


def test_go_verifies_a_signature_file(go):
    leaf = pki.root("mldsa65-ecdsa-p256").issue(uris=("spiffe://corp/publisher",))
    envelope = Envelope.read(sign(b"weights", leaf.key, leaf.chain_der))
    name = envelope.statement.algorithm
    asked = question(
        name,
        envelope.signature,
        envelope.statement.write(),
        b"pqproxy-signature/1",
        leaf.key.public_key(),
    )

    assert theirs(go(asked, {**asked, "Context": b""})) == [[True, True], [False, False]]
