"""Detached signatures of content: files, streams, bytes in memory. See docs/signatures.md.

    signature = sign(Path("model.gguf"), key, chain)
    verify(Path("model.gguf"), signature, trust, ["spiffe://corp/ns/models/sa/publisher"])

What this package exports is stable within a major version, and so is the format.
"""

from pqproxy.config.values import PeerAuthentication as Authentication
from pqproxy.signing.content import Content
from pqproxy.signing.envelope import SIZE_LIMIT
from pqproxy.signing.errors import ContentChanged, SigningError
from pqproxy.signing.examination import examine, verify
from pqproxy.signing.making import sign
from pqproxy.signing.statement import Statement
from pqproxy.signing.verdict import Check, Finding, NotVerified, Verdict

__all__ = [
    "SIZE_LIMIT",
    "Authentication",
    "Check",
    "Content",
    "ContentChanged",
    "Finding",
    "NotVerified",
    "SigningError",
    "Statement",
    "Verdict",
    "examine",
    "sign",
    "verify",
]
