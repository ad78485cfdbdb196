"""Names of code points that this package meets and the engine does not speak (RFC 9846 §4.3).

Which of the groups are post-quantum is decided here for everybody's groups, not only for ours.
"""

from pqproxy.tls import HYBRID_GROUPS, PRIVATE_GROUPS, NamedGroup, SignatureScheme
from pqproxy.tls.codepoints import (
    OTHER_GROUPS,
    OTHER_SIGNATURE_SCHEMES,
    PRIVATE_USE,
    TLS_1_3,
    TLS_VERSION_NAMES,
    ExtensionType,
    name_of,
)

_GROUPS = OTHER_GROUPS | {
    0x0029: "curveSM2",
    0x11EE: "curveSM2MLKEM768",
    0x001A: "brainpoolP256r1",
    0x001B: "brainpoolP384r1",
    0x001C: "brainpoolP512r1",
    0x001F: "brainpoolP256r1tls13",
    0x0020: "brainpoolP384r1tls13",
    0x0021: "brainpoolP512r1tls13",
}
# Groups that hold against a quantum computer, whoever speaks them.
POST_QUANTUM = frozenset({*HYBRID_GROUPS, *PRIVATE_GROUPS, 0x11EE, 0x0200, 0x0201, 0x0202})
DRAFT = 0x6399  # X25519Kyber768Draft00: post-quantum too, but nobody speaks it any longer

ML_DSA = frozenset({SignatureScheme.mldsa44, SignatureScheme.mldsa65, SignatureScheme.mldsa87})
# Both in one: of private use, so that only a pqproxy means these by them.
COMPOSITES = frozenset(scheme for scheme in SignatureScheme if scheme >= PRIVATE_USE)

_EXTENSIONS = {
    0x000B: "ec_point_formats",
    0x0011: "status_request_v2",
    0x0016: "encrypt_then_mac",
    0x0017: "extended_master_secret",
    0x0022: "delegated_credential",
    0x0023: "session_ticket",
    0x3374: "next_protocol_negotiation",
    0x4469: "application_settings",
    0x44CD: "application_settings",
    0xFE0D: "encrypted_client_hello",
    0xFF01: "renegotiation_info",
}


def is_grease(code_point: int) -> bool:
    """Whether it is one of the values that mean nothing, on purpose (RFC 8701)."""
    return code_point & 0x0F0F == 0x0A0A and code_point >> 8 == code_point & 0xFF


def group_name(group: int) -> str:
    """Name a group."""
    return "GREASE" if is_grease(group) else _GROUPS.get(group) or name_of(NamedGroup, group)


def scheme_name(scheme: int) -> str:
    """Name a signature scheme."""
    if is_grease(scheme):
        return "GREASE"
    return OTHER_SIGNATURE_SCHEMES.get(scheme) or name_of(SignatureScheme, scheme)


def extension_name(extension: int) -> str:
    """Name an extension."""
    if is_grease(extension):
        return "GREASE"
    return _EXTENSIONS.get(extension) or name_of(ExtensionType, extension).lower()


def version_name(version: int) -> str:
    """Name a protocol version."""
    if is_grease(version):
        return "GREASE"
    if version == TLS_1_3:
        return "TLS 1.3"
    return TLS_VERSION_NAMES.get(version, f"0x{version:04x}")
