"""`pqproxy sign` and `verify` as users type them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import pki
from tests.support.waiting import wait_until

PQPROXY = [sys.executable, "-P", "-m", "pqproxy"]
NAME = "spiffe://corp/ns/models/sa/publisher"
VERIFY = ("--trust", "certs/ca/mldsa65-ecdsa-p256", "--expect", NAME)
SIGN = ("--identity", "certs/leaf/publisher/mldsa65-ecdsa-p256.crt")
DOCUMENT = Path(__file__).parents[2] / "docs" / "signatures.md"


def pqproxy(directory, *arguments, code=0, **options):
    """Run it; returns what it printed."""
    done = subprocess.run(
        [*PQPROXY, *arguments], cwd=directory, capture_output=True, timeout=60, **options
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done.stdout.decode()


MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def memory_of(directory, *arguments):
    """The most that a run of it ever took, in bytes.

    It is started by a small process: what ours has would count as its own until it is executed.
    """
    command = [sys.executable, "-c", MEASURED, *PQPROXY, *arguments]
    run = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return int(run.stdout.splitlines()[-1]) * 1024


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with an authority and a publisher, made as the document says."""
    directory = tmp_path_factory.mktemp("signing")
    pqproxy(directory, "certs", "init", "--trust-domain", "corp")
    pqproxy(directory, "certs", "issue", "publisher", "--spiffe", NAME)
    return directory


def test_a_large_file_takes_no_memory_to_speak_of(place):
    """A checkpoint of 50 GB is signed on the machine that trained it, which is full."""
    size = 256 * 1024 * 1024
    with (place / "model").open("wb") as file:
        file.truncate(size)

    assert memory_of(place, "sign", "model", *SIGN) < size / 2
    assert memory_of(place, "verify", "model", *VERIFY) < size / 2
    with (place / "model").open("r+b") as file:
        file.seek(size - 1)
        file.write(b"!")
    assert "not those that were signed" in pqproxy(place, "verify", "model", *VERIFY, code=3)


def test_what_comes_through_pipes(place):
    made = pqproxy(place, "sign", "-", *SIGN, input=b"piped")
    (place / "piped.pqsig").write_text(made)
    verify = ("verify", "-", "--signature", "piped.pqsig", *VERIFY)

    assert f"signed by {NAME}" in pqproxy(place, *verify, input=b"piped")
    pqproxy(place, *verify, input=b"Piped", code=3)


def test_a_revoked_signer_signs_for_nobody_any_more(place):
    """Made, revoked and verified by commands alone."""
    name = "spiffe://corp/ns/models/sa/former"
    pqproxy(place, "certs", "issue", "former", "--spiffe", name)
    (place / "card").write_text("a model card")
    pqproxy(place, "sign", "card", "--identity", "certs/leaf/former/mldsa65-ecdsa-p256.crt")
    verify = ("verify", "card", *VERIFY, "--expect", name)
    pqproxy(place, *verify)

    pqproxy(place, "certs", "revoke", "former")
    revoked = pqproxy(place, *verify, "--crl", "certs/ca/mldsa65-ecdsa-p256/ca.crl", code=3)
    assert "is revoked" in revoked


def test_nothing_is_left_behind_by_who_is_interrupted(place):
    os.mkfifo(place / "endless")
    before = sorted(each.name for each in place.iterdir())
    process = subprocess.Popen([*PQPROXY, "sign", "endless", *SIGN], cwd=place)
    with (place / "endless").open("wb") as writer:  # waits for a reader: it is reading now
        writer.write(b"the beginning")
        writer.flush()

        def is_interrupted():  # again and again: one may come just before it blocks in a read
            process.send_signal(signal.SIGINT)
            return process.poll() is not None

        wait_until(is_interrupted, "the signer has ended", 20, interval=2)
    assert process.returncode == 130

    assert sorted(each.name for each in place.iterdir()) == before


def test_the_program_of_the_document_runs_as_it_stands(tmp_path):
    (program,) = re.findall(r"```python\n(from pathlib.*?)```", DOCUMENT.read_text(), re.DOTALL)
    root = pki.root("mldsa65-ecdsa-p256")
    leaf = root.issue(uris=(NAME,))
    (tmp_path / "llama.gguf").write_bytes(b"weights")
    given = (
        f"key_pem, chain, roots_pem = {leaf.key_pem!r}, {leaf.chain_der!r}, "
        f"{root.certificate_pem!r}\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", given + program], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert run.stderr == ""
    assert run.stdout.startswith(f"{NAME} 20")
