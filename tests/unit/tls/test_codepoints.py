import pytest

from pqproxy.tls.codepoints import (
    CipherSuite,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
    name_of,
)


@pytest.mark.parametrize(
    ("code_point", "value"),
    [
        (NamedGroup.X25519MLKEM768, 0x11EC),
        (NamedGroup.SecP256r1MLKEM768, 0x11EB),
        (NamedGroup.SecP384r1MLKEM1024, 0x11ED),
        (NamedGroup.x25519, 29),
        (NamedGroup.secp256r1, 23),
        (NamedGroup.secp384r1, 24),
        (CipherSuite.TLS_AES_128_GCM_SHA256, 0x1301),
        (CipherSuite.TLS_AES_256_GCM_SHA384, 0x1302),
        (SignatureScheme.mldsa44, 0x0904),
        (SignatureScheme.mldsa65, 0x0905),
        (SignatureScheme.mldsa87, 0x0906),
        (SignatureScheme.rsa_pss_rsae_sha256, 0x0804),
        (SignatureScheme.ecdsa_secp256r1_sha256, 0x0403),
        (ExtensionType.RECORD_SIZE_LIMIT, 28),
        (ExtensionType.KEY_SHARE, 51),
        (HandshakeType.MESSAGE_HASH, 254),
    ],
)
def test_code_points_are_those_of_the_registry(code_point, value):
    assert code_point == value


def test_our_own_group_has_a_number_that_nobody_can_be_given():
    """0xFE00 to 0xFEFF are for private use, and the first of them are in others' use already."""
    assert 0xFE36 <= NamedGroup.X25519MLKEM1024 <= 0xFEFF


def test_a_known_code_point_is_named_as_the_registry_spells_it():
    assert name_of(NamedGroup, 0x11EC) == "X25519MLKEM768"
    assert name_of(SignatureScheme, 0x0403) == "ecdsa_secp256r1_sha256"


@pytest.mark.parametrize("unknown", [0x0A0A, 0xFAFA, 0])
def test_an_unknown_code_point_is_named_by_its_number(unknown):
    """GREASE must never crash anything."""
    assert name_of(NamedGroup, unknown) == f"0x{unknown:04x}"
