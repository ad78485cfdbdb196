import pytest

from pqproxy.probing.findings import Findings, Reply, Result
from pqproxy.probing.handshake import Afterwards, Outcome
from pqproxy.probing.observation import Observed
from pqproxy.probing.question import Answer
from tests.unit.probing.samples import PQ, X25519, findings, handshake


@pytest.mark.parametrize(
    ("handshook", "reply"),
    [
        (handshake(group=PQ), Reply.ACCEPTED),
        (handshake(Outcome.FAILED, group=PQ), Reply.ACCEPTED),  # it chose; we could not go on
        (handshake(Outcome.REFUSED, alert=40), Reply.REFUSED),
        (handshake(Outcome.CLOSED), Reply.REFUSED),
        (handshake(Outcome.SILENT), Reply.UNCLEAR),
        (handshake(Outcome.NOT_TLS), Reply.UNCLEAR),
    ],
)
def test_a_handshake_tells_how_its_hello_was_taken(handshook, reply):
    result = Result.of_handshake(handshook)

    assert result.reply is reply
    assert result.is_positive is (reply is Reply.ACCEPTED)


def test_an_alert_that_comes_after_the_choice_is_no_refusal_of_the_group():
    """Whoever asks for a client certificate has accepted the group."""
    result = Result.of_handshake(handshake(group=PQ, alert=116))

    assert result.reply is Reply.ACCEPTED
    assert result.alert is None


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (Answer(Outcome.COMPLETED, version=0x0304, asked_again=True, group=0x19), "asks-for-share"),
        (Answer(Outcome.COMPLETED, version=0x0304, asked_again=True), "unclear"),  # a cookie only
        (Answer(Outcome.COMPLETED, version=0x0304, group=0x19), "unclear"),
        (Answer(Outcome.COMPLETED, version=0x0303), "refused"),
        (Answer(Outcome.REFUSED, alert=40), "refused"),
        (Answer(Outcome.SILENT), "unclear"),
    ],
)
def test_an_answer_to_a_hello_without_shares_is_read(answer, reply):
    assert Result.of_answer(answer).reply.value == reply


def test_a_group_that_a_server_only_names_is_not_accepted():
    """It may name any; what follows must decrypt."""
    result = Result.of_handshake(handshake(Outcome.FAILED, observed=Observed(group=PQ)))

    assert result.reply is Reply.UNCLEAR
    assert result.group is None


def test_an_older_version_counts_only_where_it_was_chosen():
    assert findings(older=Answer(Outcome.COMPLETED, version=0x0303)).older_version == 0x0303
    assert findings(older=Answer(Outcome.REFUSED, alert=70)).older_version is None
    assert findings().older_version is None


def test_the_best_version_is_the_newest_that_was_answered_with():
    older = Answer(Outcome.COMPLETED, version=0x0303)
    refused = handshake(Outcome.REFUSED, alert=40)

    assert findings(handshake(group=X25519), older=older).best_version == 0x0304
    assert findings(refused, older=older).best_version == 0x0303
    assert findings(refused).best_version is None
    foreign = {0x0202: Result(Reply.ASKS_FOR_SHARE, 0x0202)}
    assert findings(refused, groups=foreign).best_version == 0x0304


@pytest.mark.parametrize(
    ("observed", "afterwards", "said"),
    [
        (Observed(group=PQ, keys_agree=True), Afterwards.QUIET, "none"),
        (
            Observed(group=PQ, keys_agree=True, wants_certificate=True),
            Afterwards.QUIET,
            "requested",
        ),
        (Observed(group=PQ, keys_agree=True, wants_certificate=True), Afterwards.ALERT, "required"),
        (
            Observed(group=PQ, keys_agree=True, wants_certificate=True),
            Afterwards.CLOSED,
            "required",
        ),
    ],
)
def test_whether_clients_must_show_a_certificate(observed, afterwards, said):
    first = handshake(observed=observed, afterwards=afterwards)

    assert findings(first).client_certificate == said


def test_an_alert_is_tls_and_silence_is_not():
    assert findings(handshake(Outcome.REFUSED, alert=40)).speaks_tls
    assert not findings(handshake(Outcome.SILENT)).speaks_tls
    assert findings(handshake(Outcome.CLOSED), older=Answer(Outcome.REFUSED)).speaks_tls


def test_times_are_medians():
    found = findings()
    assert found.median_seconds() == (None, None)

    found.connect_seconds, found.handshake_seconds = [3, 1, 2], [5]
    assert found.median_seconds() == (2, 5)
    assert isinstance(found, Findings)
