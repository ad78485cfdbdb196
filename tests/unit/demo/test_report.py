import json

import pytest

from pqproxy.demo import report
from pqproxy.demo.client import Completion
from pqproxy.demo.measure import Comparison

INGRESS = {
    "event": "connection",
    "group": "SecP256r1MLKEM768",
    "cipher_suite": "TLS_AES_128_GCM_SHA256",
    "signature": "mldsa65",
    "peer_signature": "ecdsa_secp256r1_sha256",
    "identity": "spiffe://d/client",
    "received": 1234,
    "sent": 56789,
}
EGRESS = {"event": "connection", "identity": "spiffe://d/server"}


def test_every_value_comes_from_the_logs():
    text = report.protection_report(report.protection(INGRESS, EGRESS))

    assert "SecP256r1MLKEM768" in text
    assert "TLS_AES_128_GCM_SHA256" in text
    assert "spiffe://d/server (mldsa65)" in text
    assert "spiffe://d/client (ecdsa_secp256r1_sha256)" in text
    assert "1,234 asked, 56,789 answered" in text


@pytest.mark.parametrize("missing", ["group", "cipher_suite", "signature", "identity"])
def test_nothing_is_claimed_that_a_sidecar_did_not_log(missing):
    line = {name: value for name, value in INGRESS.items() if name != missing}

    with pytest.raises(KeyError):
        report.protection(line, EGRESS)


def test_only_connection_lines_are_taken_from_a_log():
    lines = [{"event": "message", "message": "ready"}, INGRESS, {"event": "refused"}, EGRESS]
    log = "a warning of Python's\n" + "".join(json.dumps(line) + "\n" for line in lines)

    assert list(report.connections(log)) == [INGRESS, EGRESS]


def test_a_line_still_being_written_is_not_read():
    assert list(report.connections(json.dumps(INGRESS)[:20])) == []


def test_the_stream_is_told_by_its_median_gap():
    completion = Completion(arrivals=(0.2, 0.205, 0.210, 0.8), sent=1)

    assert report.stream_summary(completion) == (
        "4 tokens, the first after 200.0 ms, then one every 5.0 ms (median)"
    )


def test_a_single_token_has_no_gaps():
    completion = Completion(arrivals=(0.2,), sent=1)

    assert report.stream_summary(completion) == "1 tokens, the first after 200.0 ms"


def test_the_cost_is_told_beside_what_it_is_the_difference_of():
    text = report.cost_report(
        Comparison(direct=(0.010,) * 3, through=(0.0142,) * 3),
        Comparison(direct=(0.010,) * 3, through=(0.0099,) * 3),
    )

    assert "medians of 3 tries" in text
    assert "+4.2 ms   (10.0 ms direct, 14.2 ms through the pair)" in text
    assert "-0.1 ms   (10.0 ms direct, 9.9 ms through the pair)" in text
