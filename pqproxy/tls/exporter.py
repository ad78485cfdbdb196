"""Keys for others, derived from a connection (RFC 9846 §7.5)."""

from __future__ import annotations

import hmac

from pqproxy.tls.key_schedule import SuiteParameters, derive_secret, hkdf_label
from pqproxy.tls.secrets import Secret
from pqproxy.tls.values import dataclass

_LONGEST_LABEL = 255 - len(b"tls13 ")
_BLOCKS = 255  # as many as HKDF-Expand can number (RFC 5869 §2.3)


@dataclass(frozen=True, slots=True)
class Exporter:
    """The exporter_secret of one connection."""

    suite: SuiteParameters
    secret: Secret

    def export(self, label: bytes, context: bytes, length: int) -> bytes:
        """TLS-Exporter: `length` bytes; no context is the same as an empty one.

        Raises:
            ValueError: label or length are longer than the construction can express.
        """
        if not 0 <= length <= _BLOCKS * self.suite.hash_length:
            raise ValueError(f"an exporter gives no {length} bytes")
        if len(label) > _LONGEST_LABEL:
            raise ValueError(f"an exporter's label has at most {_LONGEST_LABEL} bytes")
        of_label = derive_secret(self.suite, self.secret, label, self.suite.empty_hash)
        info = hkdf_label(b"exporter", self.suite.digest(context), length)
        return self._expand(of_label, info, length)

    def _expand(self, secret: Secret, info: bytes, length: int) -> bytes:
        """HKDF-Expand (RFC 5869 §2.3): what is exported may be longer than a hash."""
        block, exported = b"", b""
        for number in range(1, _BLOCKS + 1):
            if len(exported) >= length:
                break
            data = block + info + bytes((number,))
            block = hmac.digest(secret.expose(), data, self.suite.hash_name)
            exported += block
        return exported[:length]
