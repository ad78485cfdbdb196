import pytest

from pqproxy.probing.findings import Reply, Result
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.observation import Observed
from pqproxy.probing.question import Answer
from pqproxy.probing.verdict import PostQuantum, judge
from tests.unit.probing.samples import PQ, X25519, everything, findings, handshake

TLS_1_2 = Answer(Outcome.COMPLETED, version=0x0303)


def test_post_quantum_and_nothing_less():
    verdict = judge(everything((PQ,)))

    assert verdict.post_quantum is PostQuantum.NEGOTIATED
    assert verdict.downgradeable is False
    assert verdict.is_post_quantum_only
    assert verdict.protocol == "TLS 1.3"
    assert verdict.summary == (
        "post-quantum: X25519MLKEM768, and nothing less: clients without it are refused"
    )


@pytest.mark.parametrize(
    ("found", "by"),
    [
        (everything((PQ, X25519)), "x25519"),
        (everything((PQ,), older=TLS_1_2), "TLS 1.2"),
    ],
)
def test_whoever_serves_others_too_is_downgradeable(found, by):
    verdict = judge(found)

    assert verdict.post_quantum is PostQuantum.NEGOTIATED
    assert verdict.downgradeable is True
    assert not verdict.is_post_quantum_only
    assert verdict.summary.endswith(f"clients without it are served too: {by}")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (everything((PQ, X25519)), "policy: require"),
        (everything((PQ,), classical=Result(Reply.UNCLEAR)), "policy: require"),
        (everything((X25519, PQ)), "X25519MLKEM768 first"),
        (everything((X25519,)), "pqproxy serve"),
        (findings(handshake(Outcome.NOT_TLS)), "pqproxy serve"),
        (findings(handshake(Outcome.SILENT)), "the right port"),
    ],
)
def test_whatever_could_be_better_comes_with_what_helps(found, said):
    assert said in judge(found).advice
    assert judge(everything((PQ,))).advice == ""


def test_a_foreign_classical_group_counts_as_a_downgrade():
    found = everything((PQ,))
    found.groups[0x0019] = Result(Reply.ASKS_FOR_SHARE, 0x0019)

    assert judge(found).downgradeable is True


def test_a_group_that_is_known_and_not_chosen_is_only_available():
    found = everything((X25519, PQ))
    verdict = judge(found)

    assert verdict.post_quantum is PostQuantum.AVAILABLE
    assert "X25519MLKEM768, yet settles for x25519" in verdict.summary


def test_a_foreign_post_quantum_group_is_available():
    """ML-KEM alone, say: we do not speak it, and say that it is there."""
    found = findings(handshake(Outcome.REFUSED, alert=40), older=Answer(Outcome.REFUSED))
    found.groups = {0x0202: Result(Reply.ASKS_FOR_SHARE, 0x0202)}

    assert judge(found).post_quantum is PostQuantum.AVAILABLE
    assert "it knows MLKEM1024" in judge(found).summary


@pytest.mark.parametrize(
    ("found", "summary"),
    [
        (everything((X25519,)), "not post-quantum: TLS 1.3 with x25519"),
        (
            findings(handshake(Outcome.REFUSED, alert=70), older=TLS_1_2),
            "not post-quantum: it speaks TLS 1.2 at most",
        ),
        (
            findings(handshake(Outcome.REFUSED, alert=40), older=Answer(Outcome.REFUSED)),
            "not post-quantum: every hello is refused (handshake_failure)",
        ),
        (
            findings(handshake(Outcome.NOT_TLS, first_bytes=b"SSH-2.0-x")),
            "not TLS: what answers is SSH",
        ),
    ],
)
def test_what_is_not_post_quantum_is_named(found, summary):
    verdict = judge(found)

    assert verdict.post_quantum is PostQuantum.NO
    assert verdict.summary == summary


def test_a_server_that_only_names_a_group_is_not_post_quantum():
    found = findings(handshake(Outcome.FAILED, observed=Observed(group=PQ)))

    assert judge(found).post_quantum is PostQuantum.NO


@pytest.mark.parametrize("outcome", [Outcome.SILENT, Outcome.CLOSED])
def test_who_says_nothing_is_not_judged(outcome):
    verdict = judge(findings(handshake(outcome)))

    assert verdict.post_quantum is PostQuantum.UNKNOWN
    assert verdict.downgradeable is None
    assert not verdict.is_post_quantum_only


def test_a_classical_hello_without_a_clear_answer_leaves_the_question_open():
    """Never claim that downgrades are refused when nobody said so."""
    found = everything((PQ,), classical=Result(Reply.UNCLEAR))

    assert judge(found).downgradeable is None
    assert not judge(found).is_post_quantum_only
    assert judge(everything((PQ,), older=None)).downgradeable is None


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SILENT, Outcome.NOT_TLS])
def test_an_answer_to_an_older_client_that_means_nothing_leaves_it_open_too(outcome):
    assert judge(everything((PQ,), older=Answer(outcome))).downgradeable is None


@pytest.mark.parametrize("reply", [Reply.UNCLEAR, Reply.NOT_ASKED])
@pytest.mark.parametrize("group", [X25519, 0x0019], ids=["ours", "foreign"])
def test_a_classical_group_that_was_not_answered_for_leaves_it_open_too(group, reply):
    """A server that serves clients of P-521 alone is found by that question only."""
    found = everything((PQ,))
    found.groups[group] = Result(reply)

    assert judge(found).downgradeable is None
    assert not judge(found).is_post_quantum_only
