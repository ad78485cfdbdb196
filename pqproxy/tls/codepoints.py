"""The numbers of TLS 1.3 that this engine gives a meaning to (RFC 9846 §B, RFC 10024).

Code points a peer sends stay plain ints everywhere: an unknown one, GREASE included, is carried
and ignored, never turned into an enum member by force. The enums exist to write numbers by name.
"""

from enum import IntEnum

LEGACY_VERSION = 0x0303  # what every record and hello says for the sake of middleboxes
TLS_1_3 = 0x0304
TLS_VERSION_NAMES = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2"}


class ContentType(IntEnum):
    """What a record holds (§5.1)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class HandshakeType(IntEnum):
    """What a handshake message is (§4)."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    NEW_SESSION_TICKET = 4
    END_OF_EARLY_DATA = 5
    ENCRYPTED_EXTENSIONS = 8
    CERTIFICATE = 11
    CERTIFICATE_REQUEST = 13
    CERTIFICATE_VERIFY = 15
    FINISHED = 20
    KEY_UPDATE = 24
    MESSAGE_HASH = 254


class ExtensionType(IntEnum):
    """Extensions that this engine reads or writes, or must know to refuse in the wrong place."""

    SERVER_NAME = 0
    MAX_FRAGMENT_LENGTH = 1
    STATUS_REQUEST = 5
    SUPPORTED_GROUPS = 10
    SIGNATURE_ALGORITHMS = 13
    APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16
    SIGNED_CERTIFICATE_TIMESTAMP = 18
    PADDING = 21
    COMPRESS_CERTIFICATE = 27
    RECORD_SIZE_LIMIT = 28
    PRE_SHARED_KEY = 41
    EARLY_DATA = 42
    SUPPORTED_VERSIONS = 43
    COOKIE = 44
    PSK_KEY_EXCHANGE_MODES = 45
    CERTIFICATE_AUTHORITIES = 47
    OID_FILTERS = 48
    POST_HANDSHAKE_AUTH = 49
    SIGNATURE_ALGORITHMS_CERT = 50
    KEY_SHARE = 51


class NamedGroup(IntEnum):
    """Key exchange groups, spelt as IANA spells them; one has no number there."""

    secp256r1 = 0x0017
    secp384r1 = 0x0018
    x25519 = 0x001D
    SecP256r1MLKEM768 = 0x11EB
    X25519MLKEM768 = 0x11EC
    SecP384r1MLKEM1024 = 0x11ED
    X25519MLKEM1024 = 0xFEA0  # ours, of the range for private use (§4.3.7): between sidecars only


class CipherSuite(IntEnum):
    """The two AES-GCM suites (§B.4)."""

    TLS_AES_128_GCM_SHA256 = 0x1301
    TLS_AES_256_GCM_SHA384 = 0x1302


PRIVATE_USE = 0xFE00  # from here on a code point of a signature scheme is nobody's (§4.3.3)


class SignatureScheme(IntEnum):
    """Signature schemes, spelt as IANA spells them; composite ones have no number there.

    Those are ours, of the range for private use (§4.3.3), each ending as its OID does: sidecars
    understand each other, nobody else does.
    """

    rsa_pkcs1_sha256 = 0x0401
    rsa_pkcs1_sha384 = 0x0501
    rsa_pkcs1_sha512 = 0x0601
    ecdsa_secp256r1_sha256 = 0x0403
    ecdsa_secp384r1_sha384 = 0x0503
    rsa_pss_rsae_sha256 = 0x0804
    rsa_pss_rsae_sha384 = 0x0805
    mldsa44 = 0x0904
    mldsa65 = 0x0905
    mldsa87 = 0x0906
    mldsa44_ecdsa_p256 = 0xFE40
    mldsa65_ecdsa_p256 = 0xFE45
    mldsa65_ed25519 = 0xFE48
    mldsa87_ecdsa_p384 = 0xFE49


# Groups that peers offer and this engine does not speak, for messages to people.
OTHER_GROUPS = {
    0x0019: "secp521r1",
    0x001E: "x448",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x0200: "MLKEM512",
    0x0201: "MLKEM768",
    0x0202: "MLKEM1024",
    0x6399: "X25519Kyber768Draft00",
}

# Signature schemes that peers offer and this engine does not speak, for messages to people.
OTHER_SIGNATURE_SCHEMES = {
    0x0603: "ecdsa_secp521r1_sha512",
    0x0708: "sm2sig_sm3",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0201: "rsa_pkcs1_sha1",
    0x0203: "ecdsa_sha1",
}


def name_of(kind: type[IntEnum], code_point: int) -> str:
    """Name a code point for people: its name, or its number where we know none."""
    try:
        return kind(code_point).name
    except ValueError:
        return f"0x{code_point:04x}"
