import json
from pathlib import Path

import pytest

from pqproxy.probing.chain import describe
from pqproxy.probing.findings import Reply, Result
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.lines import Mark, render
from pqproxy.probing.observation import Observed
from pqproxy.probing.probe_report import describe as said
from pqproxy.probing.probe_report import document, lines
from pqproxy.probing.verdict import judge
from tests.support import pki
from tests.unit.probing.samples import PQ, REFUSED, X25519, everything, findings, handshake

KEYS = [
    "endpoint",
    "peer",
    "server_name",
    "protocol",
    "post_quantum",
    "downgradeable",
    "summary",
    "advice",
    "default_offer",
    "classical_only",
    "older_version",
    "hello_retry",
    "split_segments",
    "split_records",
    "groups",
    "certificates",
    "certificate_verified",
    "certificate_problem",
    "certificate_verify",
    "client_certificate",
    "alpn",
    "tickets",
    "sizes",
    "milliseconds",
]


def report(found):
    return json.loads(json.dumps(document(found, judge(found))))


def text(found):
    return render(lines(found, judge(found)), colour=False)


@pytest.mark.parametrize(
    "found",
    [everything((PQ, X25519)), findings(handshake(Outcome.SILENT)), findings()],
    ids=["all", "silent", "first-only"],
)
def test_the_document_has_its_keys_whatever_was_found(found):
    assert list(report(found)) == KEYS


def test_every_key_is_in_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "probe.md").read_text()

    assert not {key for key in KEYS if f"`{key}`" not in text}


def test_the_document_says_what_was_found():
    found = everything((PQ,))
    found.certificates = describe(pki.root().issue(dns=("llm.test",)).chain_der, pki.NOW)
    found.handshake_seconds, found.connect_seconds = [0.002], [0.001]
    told = report(found)

    assert told["post_quantum"] == "negotiated"
    assert told["downgradeable"] is False
    assert told["default_offer"]["group"] == "X25519MLKEM768"
    assert told["default_offer"]["cipher_suite"] == "TLS_AES_256_GCM_SHA384"
    assert told["classical_only"]["reply"] == "refused"
    assert told["classical_only"]["alert"] == "insufficient_security"
    assert told["older_version"] == {
        "reply": "refused",
        "version": None,
        "alert": "protocol_version",
    }
    assert told["hello_retry"]["hello_retry"] is True
    assert told["groups"][0]["name"] == "X25519MLKEM768"
    assert told["certificates"][0]["key"] == "ecdsa-p256"
    assert told["certificates"][0]["post_quantum"] is False
    assert told["alpn"] == "h2"
    assert told["milliseconds"] == {"connect": 1.0, "handshake": 2.0, "samples": 1}


def test_the_first_line_is_the_verdict_with_its_mark():
    assert text(everything((PQ,))).startswith("√ post-quantum: X25519MLKEM768")
    assert text(everything((PQ, X25519))).startswith("‼ post-quantum")
    assert text(everything((X25519,))).startswith("× not post-quantum")  # noqa: RUF001


def test_what_is_no_tls_is_the_verdict_and_what_helps():
    told = text(findings(handshake(Outcome.NOT_TLS, first_bytes=b"HTTP/1.1 400"))).splitlines()

    assert len(told) == 2
    assert "pqproxy serve" in told[1]


def test_a_chain_that_nobody_verified_is_said_to_be_so():
    chain = pki.root().issue(dns=("llm.test",)).chain_der
    found = everything((PQ,), certificates=describe(chain, pki.NOW))
    assert "not verified: it was shown before any proof" in text(found)

    found.first = handshake(observed=Observed(PQ, keys_agree=True, chain=chain))
    assert "not verified: give --trust FILE" in text(found)
    assert report(found)["certificate_verified"] is None

    found.untrusted = ""
    assert "the chain leads to --trust" in text(found)
    assert report(found)["certificate_verified"] is True

    found.untrusted = "nobody signed it"
    assert "nobody signed it" in text(found)
    assert report(found)["certificate_problem"] == "nobody signed it"


def test_a_certificate_that_ends_soon_or_does_not_parse_is_marked():
    found = everything((PQ,))
    leaf = pki.root().issue(dns=("llm.test",), not_after=pki.PAST)
    found.certificates = (*describe(leaf.chain_der, pki.NOW), None)
    marks = {line.name: line.mark for line in lines(found, judge(found))}

    assert marks["certificate"] is Mark.DOUBTFUL
    assert marks["issuer 1"] is Mark.BAD


def test_a_post_quantum_certificate_is_marked_as_good():
    chain = pki.root("mldsa65").issue(dns=("llm.test",)).chain_der
    found = everything((PQ,), certificates=describe(chain, pki.NOW))
    marks = {line.name: line.mark for line in lines(found, judge(found))}

    assert marks["certificate"] is Mark.GOOD
    assert report(found)["certificates"][0]["post_quantum"] is True


def test_a_signature_that_we_cannot_verify_is_explained():
    first = handshake(Outcome.FAILED, observed=Observed(X25519, True, signature_scheme=0x0807))

    assert "signs with ed25519, which pqproxy does not verify" in text(findings(first))


def test_groups_that_nobody_knows_are_left_out_of_the_lines():
    found = everything((PQ,))
    found.groups |= {0x0200: REFUSED, 0x0019: Result(Reply.ASKS_FOR_SHARE, 0x0019)}
    told = text(found)

    assert "MLKEM512" not in told
    assert "other groups" in told
    assert "secp521r1" in told
    assert {group["name"] for group in report(found)["groups"]} >= {"MLKEM512", "secp521r1"}


def test_a_reason_cannot_drive_a_terminal():
    found = everything((PQ,), classical=Result(Reply.UNCLEAR, reason="\x1b[2J"))

    assert "\x1b" not in text(found)
    assert "\x1b" not in report(found)["classical_only"]["reason"]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result(Reply.ACCEPTED, PQ), "accepted with X25519MLKEM768"),
        (Result(Reply.ACCEPTED, PQ, asked_again=True), "asks again for X25519MLKEM768"),
        (Result(Reply.ASKS_FOR_SHARE, PQ), "known: it asks for a share"),
        (REFUSED, "refused: insufficient_security"),
        (Result(Reply.REFUSED, reason="it left"), "refused: it left"),
        (Result(), "not asked"),
    ],
)
def test_a_result_in_words(result, words):
    assert said(result) == words
