"""The rights of a supervisor, and the one line about them."""

import errno
from dataclasses import replace

import pytest

from pqproxy.config.values import UnixAddress
from pqproxy.supervisor import confinement
from pqproxy.supervisor.confinement import confine_supervisor, supervisor_confinement
from tests.unit.supervisor.harness import ingress, settings


def test_it_reads_and_binds_what_a_reload_may_name():
    made = supervisor_confinement(settings())

    assert made.readable is None
    assert made.connect is None


def test_it_writes_its_sockets_and_the_key_log_only():
    made = supervisor_confinement(
        settings(
            ingress=(ingress(listen=UnixAddress("/run/app/tls.sock")),),
            control=UnixAddress("/run/pqproxy/control.sock"),
            keylog="/tmp/keys.log",
        )
    )

    assert made.sockets == ("/run/app", "/run/pqproxy")
    assert made.writable == ("/dev/null", "/tmp/keys.log")


@pytest.mark.parametrize(
    ("abi", "said"),
    [
        (0, "not confined by Landlock: this kernel has none, or runs without it"),
        (3, "confined by Landlock (ABI 3): files, not ports, which need Linux 6.7"),
        (7, "confined by Landlock (ABI 7): files and ports"),
    ],
)
def test_one_line_says_how_far_it_went(monkeypatch, caplog, abi, said):
    caplog.set_level("INFO")
    monkeypatch.setattr(confinement, "confine", lambda _: abi)

    confine_supervisor(settings())

    assert caplog.messages == [said]
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_kernel_that_refuses_costs_a_warning_and_not_the_run(monkeypatch, caplog):
    def refuse(_):
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(confinement, "confine", refuse)

    confine_supervisor(settings())

    assert "the kernel refuses it" in caplog.text


def test_a_word_turns_it_off_and_is_said(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(confinement, "confine", lambda _: pytest.fail("confined"))

    confine_supervisor(replace(settings(), landlock=False))

    assert caplog.messages == ["not confined by Landlock: the configuration turns it off"]
