"""Signature schemes as data: which code point stands for what (RFC 9846 §4.3.3).

A scheme is a row: its code point, its name, the algorithm of `crypto/` that computes it, the kind
of key that makes it, and whether it may stand in CertificateVerify or in certificate chains only.
Adding an algorithm is adding a row. Composite ones have no number of their own at IANA, so a table
with other numbers for them can be made; which table holds is a value of a connection's config.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pqproxy.tls.codepoints import OTHER_SIGNATURE_SCHEMES, SignatureScheme


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """One signature scheme."""

    scheme: int
    name: str  # as IANA spells it, or as we do where it has no number there
    algorithm: str  # the name in crypto.Provider.signatures
    key_algorithm: str
    in_handshake: bool = True  # False: in certificate chains only (§4.3.3, rsa_pkcs1_*)


class SchemeTable:
    """The schemes that this engine speaks, in its order of preference, by their code points."""

    __slots__ = ("_by_code_point",)

    def __init__(self, rows: Iterable[SchemeRow]) -> None:
        self._by_code_point = {row.scheme: row for row in rows}

    def get(self, scheme: int) -> SchemeRow | None:
        """What a code point stands for, or None."""
        return self._by_code_point.get(scheme)

    def rows(self) -> tuple[SchemeRow, ...]:
        """All of them."""
        return tuple(self._by_code_point.values())

    def chain_schemes(self, keys: Collection[str] | None = None) -> tuple[int, ...]:
        """The code points to accept in certificate chains, of these kinds of key; None: of all."""
        return tuple(row.scheme for row in self.rows() if keys is None or row.key_algorithm in keys)

    def handshake_schemes(self, keys: Collection[str] | None = None) -> tuple[int, ...]:
        """The code points to accept in CertificateVerify, of these kinds of key; None: of all."""
        return tuple(
            scheme
            for scheme in self.chain_schemes(keys)
            if self._by_code_point[scheme].in_handshake
        )

    def for_key(self, key_algorithm: str, schemes: Iterable[int]) -> Iterator[SchemeRow]:
        """Those of `schemes`, in their order, that a key of this algorithm can make."""
        for row in map(self.get, schemes):
            if row is not None and row.in_handshake and row.key_algorithm == key_algorithm:
                yield row

    def name(self, scheme: int) -> str:
        """Name a code point for people: its name, or its number where it stands for nothing."""
        row = self.get(scheme)
        if row is not None:
            return row.name
        return OTHER_SIGNATURE_SCHEMES.get(scheme) or f"0x{scheme:04x}"

    def names(self, schemes: Iterable[int]) -> str:
        """Name several in one line."""
        return ", ".join(map(self.name, schemes))

    def with_code_points(self, code_points: Mapping[str, int]) -> SchemeTable:
        """The same with other numbers for some, by kind of key: only composite kinds have one."""
        return SchemeTable(
            replace(row, scheme=code_points.get(row.key_algorithm, row.scheme))
            for row in self.rows()
        )


def _row(
    name: str, algorithm: str, key_algorithm: str = "", *, in_handshake: bool = True
) -> SchemeRow:
    key = key_algorithm or name.replace("_", "-")
    return SchemeRow(SignatureScheme[name], name, algorithm, key, in_handshake)


SCHEMES = SchemeTable(
    (
        _row("mldsa65_ecdsa_p256", "MLDSA65-ECDSA-P256-SHA512"),
        _row("mldsa87_ecdsa_p384", "MLDSA87-ECDSA-P384-SHA512"),
        _row("mldsa65_ed25519", "MLDSA65-Ed25519-SHA512"),
        _row("mldsa44_ecdsa_p256", "MLDSA44-ECDSA-P256-SHA256"),
        _row("ecdsa_secp256r1_sha256", "ECDSA-P256-SHA256", "ecdsa-p256"),
        _row("ecdsa_secp384r1_sha384", "ECDSA-P384-SHA384", "ecdsa-p384"),
        _row("mldsa65", "ML-DSA-65"),
        _row("mldsa87", "ML-DSA-87"),
        _row("mldsa44", "ML-DSA-44"),
        _row("rsa_pss_rsae_sha256", "RSA-PSS-SHA256", "rsa"),
        _row("rsa_pss_rsae_sha384", "RSA-PSS-SHA384", "rsa"),
        _row("rsa_pkcs1_sha256", "RSA-PKCS1-SHA256", "rsa", in_handshake=False),
        _row("rsa_pkcs1_sha384", "RSA-PKCS1-SHA384", "rsa", in_handshake=False),
        _row("rsa_pkcs1_sha512", "RSA-PKCS1-SHA512", "rsa", in_handshake=False),
    )
)

HANDSHAKE_SCHEMES = SCHEMES.handshake_schemes()
CHAIN_SCHEMES = SCHEMES.chain_schemes()
