"""What was found of a signature: each thing that was looked at, apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pqproxy.identity.peer import PeerIdentity
from pqproxy.signing.statement import Statement


class Check(StrEnum):
    """What is looked at, in this order. Programs may rely on these words."""

    FORMAT = "format"  # the bytes of the signature file
    SIGNATURE = "signature"  # one finding for each half
    CERTIFICATE = "certificate"  # the signer's, up to a trusted root
    AUTHENTICATION = "authentication"  # the kinds of keys
    IDENTITY = "identity"  # who is expected
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `text` and `fix` are for people, and one line each."""

    check: Check
    good: bool
    text: str
    fix: str = ""
    subject: str = ""  # of SIGNATURE: which half


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings. It is true only where every check was made and is good."""

    findings: tuple[Finding, ...]
    statement: Statement | None = None  # None: it could not be read
    signer: PeerIdentity | None = None  # None: its certificate is not trusted

    @property
    def good(self) -> bool:
        """Whether this content was signed by who was expected."""
        return set(Check) == {f.check for f in self.findings} and all(f.good for f in self.findings)

    def __bool__(self) -> bool:
        return self.good

    @property
    def problem(self) -> str:
        """What is wrong, in one line; empty where nothing is."""
        return "; ".join(finding.text for finding in self.findings if not finding.good)


class NotVerified(Exception):
    """A signature is not good; `verdict` says all that was found."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.problem)
        self.verdict = verdict
