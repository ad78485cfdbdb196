import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from pqproxy.identity.authority import create_authority, issue
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.leaves import find_leaves
from tests.support.waiting import wait_until


@pytest.fixture
def directory(tmp_path):
    """A leaf that is due for renewal by the real clock."""
    then = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=25)
    root = create_authority(tmp_path / "certs", "ecdsa-p256", now=then)
    issue(root, "llm", LeafNames.parse(dns=("llm.test",)), now=then, days=30)
    return tmp_path / "certs"


@pytest.fixture(autouse=True)
def _signals():
    """The command sets handlers of its own."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
        signal.signal(number, handler)


def stop_when(condition, number=signal.SIGTERM):
    def wait():
        try:
            wait_until(condition, "it is time to stop", 20)
        finally:
            os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_due_is_renewed_and_a_signal_ends_it_well(certs, directory, capsys, number):
    before = find_leaves(directory, "llm")[0].certificate
    thread = stop_when(lambda: find_leaves(directory, "llm")[0].certificate != before, number)

    assert certs("renew", "--watch") == 0
    thread.join()

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "watching every leaf in certs"
    assert lines[1].startswith("renewed llm, next about 20")
    assert lines[-1] == "stopped"


def test_an_error_is_one_line_and_does_not_end_it(certs, directory, capfd):
    key = directory / "ca" / "ecdsa-p256" / "ca.key"
    key.write_text("damaged")
    errors = []
    thread = stop_when(lambda: errors.append(capfd.readouterr().err) or "".join(errors))

    assert certs("renew", "llm", "--watch") == 0
    thread.join()

    (line,) = "".join(errors).splitlines()
    assert line.startswith("pqproxy: error: llm: certs/ca/ecdsa-p256/ca.key: ")
    assert "; next try 20" in line
