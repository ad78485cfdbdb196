"""Writes the known answer for signature files: one of version 1, and the root of who made it.

    python -m tests.vectors.record_signature

Keys and signatures are random once, so running it again writes another answer, as good as the
first; what must go on is that whatever was written ever is read and verified.
"""

from datetime import UTC, datetime
from pathlib import Path

from pqproxy.signing import sign
from tests.support import pki

DIRECTORY = Path(__file__).parent / "signature"
CONTENT = DIRECTORY / "hello.txt"
SIGNATURE = DIRECTORY / "hello.txt.pqsig"
ROOT = DIRECTORY / "root.crt"
NAME = "spiffe://corp/ns/models/sa/publisher"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def main():
    """Write the files."""
    root = pki.root("mldsa65-ecdsa-p256")
    leaf = root.intermediate().issue(name="publisher", uris=(NAME,))
    CONTENT.write_bytes(b"hello\n")
    SIGNATURE.write_bytes(sign(CONTENT, leaf.key, leaf.chain_der, at=AT))
    ROOT.write_bytes(root.certificate_pem)


if __name__ == "__main__":
    main()
