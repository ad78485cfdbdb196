import dataclasses
import json

import pytest

from pqproxy.checking.configuration import check_configuration
from pqproxy.checking.findings import Level
from pqproxy.checking.subject import Running
from pqproxy.config.redaction import redacted
from tests.unit.checking.subjects import levels, only


def found(subject):
    return list(check_configuration(subject))


def test_the_strict_default_is_good_throughout(place):
    assert set(levels(found(place.subject())).values()) == {Level.GOOD}


def test_a_weaker_policy_is_pointed_out(place):
    finding = only(found(place.subject(policy="prefer")), "policy")

    assert finding.level is Level.WARNING
    assert finding.message == "llm: policy prefer (from the file) serves classical peers too"


def test_a_policy_that_the_environment_weakened_names_its_origin(place, monkeypatch):
    """Nobody finds it in the file."""
    monkeypatch.setenv("FALLBACK_CRYPTO", "enabled")

    assert "(from the environment)" in only(found(place.subject()), "policy").message


def test_a_file_against_the_environment_is_said(place, monkeypatch):
    monkeypatch.setenv("PQC_KEY_MANAGEMENT", "hybrid")

    message = only(found(place.subject(policy="prefer")), "policy").message

    assert "although the environment asks for require" in message


@pytest.mark.parametrize(
    ("role", "changes", "said"),
    [
        ("ingress", {"forward": "192.0.2.1:80"}, "plaintext leaves this machine for 192.0.2.1:80"),
        ("egress", {"listen": ":0"}, "other machines may send plaintext to :0"),
    ],
)
def test_plaintext_off_this_machine_is_pointed_out(place, role, changes, said):
    subject = place.subject(role, unsafe_remote_plaintext=True, **changes)

    finding = only(found(subject), "plaintext")

    assert finding.level is Level.WARNING
    assert said in finding.message


@pytest.mark.parametrize("key", ["unsafe_remote_plaintext", "unsafe_anonymous"])
def test_an_unsafe_key_that_nothing_needs_is_pointed_out(place, key):
    finding = only(found(place.subject(**{key: True})), "unsafe")

    assert f"{key} is set, and nothing needs it" in finding.message


def test_clients_that_do_not_say_who_they_are_are_pointed_out(place):
    subject = place.subject(listen=":0", client_auth="none", allow=[], unsafe_anonymous=True)

    assert "do not say who they are" in only(found(subject), "anonymous").message


def test_a_list_that_binds_only_some_is_pointed_out(place):
    subject = place.subject(client_auth="request", unsafe_anonymous=True)

    assert "lets clients in that allow does not list" in only(found(subject), "unsafe").message


def test_a_private_code_point_is_pointed_out(place):
    subject = place.subject(groups=["X25519MLKEM768", "X25519MLKEM1024"])

    assert "X25519MLKEM1024" in only(found(subject), "private-group").message


def test_a_running_key_log_is_pointed_out(place):
    subject = dataclasses.replace(place.subject(), running=Running({}, {"keylog": "/tmp/keys"}))

    assert "/tmp/keys" in only(found(subject), "keylog").message


def running(subject, **changes):
    """The same subject while an instance runs from it, or nearly."""
    told = json.loads(json.dumps(redacted(subject.settings))) | changes
    return dataclasses.replace(subject, running=Running({"pid": 7}, told))


def test_an_instance_that_runs_from_this_very_file_is_good(place):
    finding = only(found(running(place.subject())), "reload")

    assert finding.level is Level.GOOD
    assert finding.message == "process 7 runs from this configuration"


def test_a_file_that_was_changed_since_the_start_is_pointed_out(place):
    """Otherwise everything that is checked would be said of something that does not run."""
    finding = only(found(running(place.subject(), ingress=[], workers=9)), "reload")

    assert finding.level is Level.WARNING
    assert finding.message.endswith("another configuration: ingress, workers")
