"""The syntax of `allow`, `expect` and `deny`. What a pattern matches is decided in `identity`.

`*` is exactly one whole path segment of a URI or the leftmost label of a DNS name; the trust
domain of a SPIFFE ID is literal.
"""

import re

from pqproxy.config.addresses import ip_literal
from pqproxy.config.units import shown

ANY_TRUSTED = "any-trusted"
SERIAL = "serial:"  # before the serial number of a certificate, in hexadecimal digits

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")  # as SPIFFE IDs have them, §2.2 there
_SERIAL = re.compile(r"[0-9a-f]{1,40}")  # 20 bytes are the longest, RFC 5280 §4.1.2.2
_DNS = re.compile(
    r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*"
    r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
)


def parse_pattern(value: object) -> str:
    """Return the pattern. Raises ValueError saying what is wrong with its form."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{shown(value)} is not an identity such as spiffe://corp/ns/apps/sa/llm")
    if value == ANY_TRUSTED or ip_literal(value) is not None:
        return value
    if value == "*":
        raise ValueError(f"* alone is too wide, did you mean {ANY_TRUSTED}")
    scheme, separator, rest = value.partition("://")
    if not separator:
        return _dns(value)
    if scheme != "spiffe":
        raise ValueError(
            f"only spiffe:// URIs, DNS names and IP addresses are identities, not {scheme}://"
        )
    _spiffe(rest)
    return value


def parse_denied(value: object) -> str:
    """Return what `deny` lists: a pattern, or a serial number. Raises ValueError."""
    if value == ANY_TRUSTED:
        raise ValueError(f"{ANY_TRUSTED} would deny everybody: take the roots away instead")
    if not isinstance(value, str) or not value.startswith(SERIAL):
        return parse_pattern(value)
    digits = value.removeprefix(SERIAL).replace(":", "").lower()
    if not _SERIAL.fullmatch(digits):
        raise ValueError(f"{shown(value)} is not a serial number such as serial:0a1b2c3d")
    return SERIAL + (digits.lstrip("0") or "0")


def _spiffe(rest: str) -> None:
    trust_domain, *segments = rest.split("/")
    if "*" in trust_domain:
        raise ValueError("the trust domain is literal: no * before the first /")
    if not _TRUST_DOMAIN.fullmatch(trust_domain):
        raise ValueError(
            f"{shown(trust_domain) or 'nothing'} is not a trust domain (a-z, 0-9, . _ -)"
        )
    for segment in segments:
        if segment != "*" and "*" in segment:
            raise ValueError("* stands for one whole path segment, never for a part of one")
        if segment != "*" and (not _SEGMENT.fullmatch(segment) or segment in (".", "..")):
            raise ValueError(f"{shown(segment) or 'an empty word'} is not a path segment")


def _dns(value: str) -> str:
    if "*" in value.removeprefix("*."):
        raise ValueError("* stands for the whole leftmost label of a DNS name, as in *.example.com")
    if not _DNS.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is neither a spiffe:// URI nor a DNS name nor an IP address"
        )
    return value
