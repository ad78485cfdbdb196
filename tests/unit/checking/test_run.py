import asyncio
import json
import re
from pathlib import Path

import pytest

import pqproxy.checking
from pqproxy.checking import run
from pqproxy.checking.findings import Level
from pqproxy.checking.rendering import document
from pqproxy.checking.run import Consent, check, check_until_good
from pqproxy.config.problems import ConfigError

DOCUMENT = (Path(__file__).parents[3] / "docs/check.md").read_text()
PACKAGE = Path(pqproxy.checking.__file__).parent
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
    ((socket, upstream),) = told
    assert "no directory" in socket
    assert "nobody listens" in upstream


@pytest.mark.parametrize("patience", [0, 0.05])
def test_patience_ends(place, monkeypatch, patience):
    path = place.config(ingress=[place.entry(listen="unix:gone/x.sock")])

    report = check_until_good(path, OFFLINE, patience, lambda failures: None)

    assert report.verdict is Level.FAILURE


def test_files_that_come_late_are_waited_for(place, monkeypatch):
    """An init container that waits for them is what --wait is used for."""
    key = place.directory / "server.key"
    content = key.read_bytes()
    key.unlink()
    path, told = place.config(ingress=[place.entry()]), []

    def waiting(failures):
        told.append(failures)
        key.write_bytes(content)
        place.config(ingress=[place.entry(forward="192.0.2.1:1", unsafe_remote_plaintext=True)])

    monkeypatch.setattr(run, "BETWEEN", 0.0)
    report = check_until_good(path, OFFLINE, 60, waiting)

    assert report.verdict is Level.WARNING
    ((missing,),) = told
    assert f"identities.server.key: there is no {key}" in missing


def test_files_that_never_come_are_problems_of_the_file(place):
    (place.directory / "server.key").unlink()
    path = place.config(ingress=[place.entry()])

    for patience in (0, 0.05):
        with pytest.raises(ConfigError, match="there is no"):
            check_until_good(path, OFFLINE, patience, lambda failures: None)


def test_a_mistake_in_the_file_is_not_waited_for(place):
    path = place.config(ingress=[place.entry(workers=1)])

    with pytest.raises(ConfigError, match="unknown key"):
        check_until_good(path, OFFLINE, 60, lambda failures: pytest.fail("waited"))


def test_the_document_lists_every_section_and_check():
    """Programs go by these names."""
    source = "\n".join(path.read_text() for path in PACKAGE.glob("*.py"))
    checks = set(re.findall(r'(?:good|warning|failure)\(\s*"([a-z-]+)"', source))
    checks |= set(re.findall(r'^_NAME = "([a-z-]+)"', source, re.MULTILINE))
    sections = set(re.findall(r'_(?:section|asked)\("([a-z]+)"', source))

    listed = {
        row[0]: set(re.findall(r"`([a-z-]+)`", row[1]))
        for row in re.findall(r"^\| `([a-z]+)` \| (.*) \|$", DOCUMENT, re.MULTILINE)
    }

    assert set(listed) == sections
    assert set().union(*listed.values()) == checks | {"identity", "trust"}


def test_the_document_that_is_shown_has_the_keys_that_there_are(place):
    (shown,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    told = document(asyncio.run(check(place.subject(), OFFLINE)))
    example = json.loads(shown)

    assert list(example) == list(told)
    assert list(example["sections"][0]) == list(told["sections"][0])
    assert list(example["sections"][0]["checks"][0]) == list(told["sections"][0]["checks"][0])
