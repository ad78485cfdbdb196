"""Known answers for hybrid key exchange: OpenSSL's secrets, and our own bytes, replayed offline."""

from io import BytesIO

import pytest

from pqproxy import tls
from pqproxy.crypto import Encapsulation
from tests.support.providers import CHOICES, provider_or_skip
from tests.vectors.hybrid_replay import endpoint, load_recordings, told_provider

RECORDINGS = {recording["title"]: recording for recording in load_recordings()}


def replay(recording, provider):
    """Put our side back into a recording; returns it, and its key log."""
    entropy = BytesIO(bytes.fromhex(recording["entropy"]))
    chain = tuple(map(bytes.fromhex, recording.get("chain", ())))
    credentials = (tls.Credential(chain, None, "ecdsa-p256"),)
    told = told_provider(
        provider,
        encapsulate=lambda *_: Encapsulation(*map(bytes.fromhex, recording["encapsulation"])),
        sign=lambda *_: bytes.fromhex(recording["signature"]),
    )
    log = []
    ours = endpoint(recording, told, entropy.read, credentials, log.append)
    for step in recording["steps"]:
        if sent := step.get("sent"):
            ours.send(bytes.fromhex(sent))
        if expected := step.get("ours"):
            assert ours.take().hex() == expected
        else:
            ours.feed(bytes.fromhex(step["theirs"]))
    assert not entropy.read(), "not all of the recorded entropy was used"
    return ours, log


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("title", RECORDINGS)
def test_our_side_says_the_same_again_and_agrees_with_openssl(title, choice):
    """Every byte of ours, and OpenSSL's own traffic secrets, with each provider."""
    recording = RECORDINGS[title]

    ours, log = replay(recording, provider_or_skip(choice))

    assert ours.failure is None
    assert ours.negotiated.group_name == recording["group"]
    assert ours.negotiated.hello_retry is recording["hello_retry"]
    assert sorted(line.strip() for line in log) == recording["key_log"]
    assert ours.received == bytes.fromhex(recording["received"])


def test_every_hybrid_group_is_recorded_in_both_roles_and_after_a_retry():
    kinds = {(r["group"], r["role"], r["hello_retry"]) for r in RECORDINGS.values()}

    assert kinds == {
        (group.name, role, retry)
        for group in tls.HYBRID_GROUPS
        for role in ("client", "server")
        for retry in (False, True)
    }
