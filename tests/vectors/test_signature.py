"""The known answer for signature files, read by us and by the program in the document."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from pqproxy.config.values import TrustFiles
from pqproxy.identity.trust import Trust
from pqproxy.signing import NotVerified, verify
from pqproxy.signing.envelope import Envelope
from tests.vectors.record_signature import AT, CONTENT, NAME, ROOT, SIGNATURE

DOCUMENT = Path(__file__).parents[2] / "docs" / "signatures.md"
TRUST = Trust.load(TrustFiles("publishers", (ROOT.read_bytes(),), str(ROOT)))
SIGNER = sha256(Envelope.read(SIGNATURE.read_bytes()).chain[0]).hexdigest()
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    """The program at the end of the document: (arguments) -> what it says."""
    (program,) = re.findall(
        r"```python\n(\"\"\"verifier\.py.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    path = tmp_path_factory.mktemp("verifier") / "verifier.py"
    path.write_text(program)

    def run(*arguments):
        # -I: without the way to our own package.
        command = [sys.executable, "-I", str(path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_what_version_1_wrote_once_is_good_forever():
    verdict = verify(CONTENT, SIGNATURE.read_bytes(), TRUST, [NAME], at=NOW)

    assert verdict.statement.time == AT
    assert verdict.statement.algorithm == "MLDSA65-ECDSA-P256-SHA512"
    with pytest.raises(NotVerified, match="not those that were signed"):
        verify(b"Hello\n", SIGNATURE.read_bytes(), TRUST, [NAME], at=NOW)


def test_the_verifier_of_the_document_finds_it_good_too(verifier):
    """Written after the document alone: so the document says all that has to be known."""
    result = verifier(CONTENT, SIGNATURE, SIGNER)

    assert (result.stdout, result.stderr) == ("good\n", "")


def test_the_verifier_of_the_document_refuses_what_is_not_good(verifier, tmp_path):
    envelope = Envelope.read(SIGNATURE.read_bytes())
    other = tmp_path / "other"
    other.write_bytes(b"Hello\n")
    assert verifier(other, SIGNATURE, SIGNER).returncode
    assert verifier(CONTENT, SIGNATURE, "0" * 64).returncode
    for position in (0, -1):
        made = bytearray(envelope.signature)
        made[position] ^= 1
        other.write_bytes(Envelope(envelope.statement, bytes(made), envelope.chain).write())
        result = verifier(CONTENT, other, SIGNER)
        assert result.returncode
        assert "InvalidSignature" in result.stderr
