import pytest

from pqproxy.checking.subject import read_subject
from pqproxy.config.problems import ConfigError
from pqproxy.identity.errors import IdentityError
from tests.support import pki
from tests.support.control_stub import control_listener


def test_a_certificate_that_ended_does_not_hide_the_rest(place):
    """A check is asked for when something is wrong: it goes on."""
    place.identity("server", not_after=pki.PAST)
    subject = place.subject()

    assert isinstance(subject.identities["server"], IdentityError)
    assert subject.usable_identities(("server",)) == []
    assert not isinstance(subject.trust["mesh"], IdentityError)


def test_a_file_that_means_nothing_is_a_problem_of_the_configuration(place):
    path = place.write("bad.yaml", b"version: 2")

    with pytest.raises(ConfigError):
        read_subject(path)


def test_who_runs_already_is_asked(place):
    address = place.directory / "c.sock"
    answers = {"/status": {"pid": 7}, "/config": {"keylog": None}}
    with control_listener(answers, address):
        running = place.whole(control={"listen": f"unix:{address}"}).running

    assert running is not None
    assert running.pid == 7


@pytest.mark.parametrize("answers", [{}, {"/status": [], "/config": []}])
def test_whoever_gives_no_answer_does_not_run(place, answers):
    address = place.directory / "c.sock"
    with control_listener(answers, address):
        assert place.whole(control={"listen": f"unix:{address}"}).running is None


def test_without_a_control_listener_nobody_is_asked(place):
    assert place.subject().running is None
