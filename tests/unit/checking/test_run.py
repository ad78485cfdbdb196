import asyncio

import pytest

from pqproxy.checking import run
from pqproxy.checking.findings import Level
from pqproxy.checking.run import Consent, check, check_until_good

OFFLINE = Consent(peers=False)


def names(report):
    return [section.name for section in report.sections]


def test_sections_come_in_their_order_without_empty_ones(place):
    report = asyncio.run(check(place.subject(), Consent()))

    assert names(report) == ["config", "certificates", "crypto", "listeners", "upstream", "host"]


def test_peers_are_not_asked_without_consent(place, free_port):
    subject = place.subject("egress", connect=[f"127.0.0.1:{free_port}"])

    assert "peers" not in names(asyncio.run(check(subject, OFFLINE)))
    assert "peers" in names(asyncio.run(check(subject, Consent())))


def test_a_check_is_repeated_until_nothing_fails(place, monkeypatch):
    """The server comes up while we wait; the file is read anew."""
    path = place.config(ingress=[place.entry(listen="unix:gone/x.sock", forward="unix:m.sock")])
    told = []

    def waiting(failures):
        told.append(failures)
        place.config(
            ingress=[
                place.entry(
                    listen="unix:x.sock", forward="192.0.2.1:1", unsafe_remote_plaintext=True
                )
            ]
        )

    monkeypatch.setattr(run, "BETWEEN", 0.0)
    report = check_until_good(path, OFFLINE, 60, waiting)

    assert report.verdict is Level.WARNING
    assert told == [("listeners.listener", "upstream.upstream")]


@pytest.mark.parametrize("patience", [0, 0.05])
def test_patience_ends(place, monkeypatch, patience):
    path = place.config(ingress=[place.entry(listen="unix:gone/x.sock")])

    report = check_until_good(path, OFFLINE, patience, lambda failures: None)

    assert report.verdict is Level.FAILURE
