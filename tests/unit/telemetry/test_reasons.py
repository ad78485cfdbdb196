from pqproxy.telemetry.reasons import EndReason, ReasonCode


def test_reason_codes_are_the_published_ones():
    """Alert rules and run-books name these words: one may be added, none renamed."""
    published = (
        "no_pq_group tls_version plaintext no_client_certificate untrusted expired revoked "
        "weak_authentication not_allowed handshake_timeout protocol_error overload draining "
        "upstream_down"
    )

    assert {code.value for code in ReasonCode} >= set(published.split())


def test_words_are_lower_case_label_values():
    assert all(word.value == word.name.lower() for word in (*ReasonCode, *EndReason))
