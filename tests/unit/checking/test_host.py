import dataclasses
import resource

import pytest

from pqproxy.checking import host
from pqproxy.checking.findings import Level
from tests.support import pki
from tests.unit.checking.subjects import only


def found(subject):
    return list(host.check_host(subject))


@pytest.mark.parametrize(
    ("hard", "level"),
    [(20_099, Level.WARNING), (20_100, Level.GOOD), (resource.RLIM_INFINITY, Level.GOOD)],
)
def test_descriptors_must_do_for_every_connection(place, monkeypatch, hard, level):
    monkeypatch.setattr(host.resource, "getrlimit", lambda which: (1024, hard))

    assert only(found(place.subject()), "descriptors").level is level


def test_workers_share_the_descriptors(place, monkeypatch):
    monkeypatch.setattr(host.resource, "getrlimit", lambda which: (1024, 5_100))
    subject = place.subject()
    four = dataclasses.replace(subject, settings=dataclasses.replace(subject.settings, workers=4))

    assert only(found(four), "descriptors").level is Level.GOOD


def test_a_clock_before_the_certificates_is_a_failure(place):
    """Every peer would be refused, and no message would speak of the clock."""
    early = dataclasses.replace(place.subject(), now=pki.NOT_BEFORE.replace(year=2019))

    assert only(found(early), "clock").level is Level.FAILURE


def test_a_certificate_that_does_not_hold_now_makes_the_clock_suspect(place):
    place.identity("server", not_after=pki.PAST)

    assert only(found(place.subject()), "clock").level is Level.WARNING


def test_a_clock_that_fits_is_good(place):
    assert only(found(place.subject()), "clock").level is Level.GOOD


@pytest.mark.parametrize(
    ("abi", "level"), [(0, Level.WARNING), (3, Level.WARNING), (4, Level.GOOD)]
)
def test_what_landlock_can_confine_is_said(place, monkeypatch, abi, level):
    monkeypatch.setattr(host, "landlock_abi", lambda: abi)

    assert only(found(place.subject()), "landlock").level is level


def test_landlock_turned_off_is_pointed_out(place):
    subject = place.whole(hardening={"landlock": "off"})

    assert "turned off" in only(found(subject), "landlock").message


def test_a_missing_uvloop_is_pointed_out(place, monkeypatch):
    monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: None)

    assert only(found(place.subject()), "uvloop").level is Level.WARNING


def test_a_kernel_that_cannot_tell_of_the_end_of_a_process_is_a_failure(place, monkeypatch):
    def refuse(pid):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(host.os, "pidfd_open", refuse)

    assert only(found(place.subject()), "kernel").level is Level.FAILURE


@pytest.mark.parametrize(("content", "told"), [("128\n", True), ("4096\n", False), ("?", False)])
def test_a_short_queue_is_pointed_out(place, monkeypatch, tmp_path, content, told):
    path = tmp_path / "somaxconn"
    path.write_text(content)
    monkeypatch.setattr(host, "_SOMAXCONN", path)

    assert any(one.name == "queue" for one in found(place.subject())) is told
