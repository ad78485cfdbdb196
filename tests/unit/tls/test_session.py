import hashlib

from pqproxy import tls
from pqproxy.tls.session import AUTHENTICATION_LIFETIME

SESSION = tls.Session(
    tls.CipherSuite.TLS_AES_128_GCM_SHA256,
    tls.Secret(b"k" * 32),
    tls.Authentication.made((b"leaf", b"issuer"), b"who", 1000.9),
    end=2000,
)


def test_a_proof_counts_for_a_day_at_most():
    proof = SESSION.authentication

    assert (proof.time, proof.end) == (1000, 1000 + AUTHENTICATION_LIFETIME)
    assert AUTHENTICATION_LIFETIME == 24 * 3600


def test_a_proof_counts_no_longer_than_the_certificate():
    proof = tls.Authentication.made((b"leaf",), b"", 1000, not_after=1500.5)

    assert proof.end == 1500


def test_a_proof_names_the_chain_by_its_digest_and_nobody_by_none():
    assert SESSION.authentication.chain_digest == hashlib.sha256(b"leafissuer").digest()
    assert tls.Authentication.made((), b"", 1000).chain_digest == b""


def test_the_age_of_a_ticket_is_hidden_in_a_sum():
    ticket = tls.SessionTicket(SESSION, b"t", 2**32 - 1, received_at=1000.0)

    assert ticket.obfuscated_age(1000.0) == 2**32 - 1
    assert ticket.obfuscated_age(1002.5) == 2499


def test_a_clock_that_went_back_makes_no_age_below_zero():
    ticket = tls.SessionTicket(SESSION, b"t", 7, received_at=1000.0)

    assert ticket.obfuscated_age(900.0) == 7


def test_neither_key_nor_ticket_is_printed():
    """Whoever has both can be the client."""
    ticket = tls.SessionTicket(SESSION, b"the ticket itself", 7, 1000.0)

    assert "the ticket itself" not in repr(ticket)
    assert "kkkk" not in repr(ticket)
