import pytest

from pqproxy.probing.naming import (
    POST_QUANTUM,
    extension_name,
    group_name,
    is_grease,
    scheme_name,
    version_name,
)
from pqproxy.tls import CLASSICAL_GROUPS, HYBRID_GROUPS


def test_all_sixteen_values_of_grease_are_known_and_nothing_else():
    grease = [point for point in range(0x10000) if is_grease(point)]

    assert grease == [0x0A0A + 0x1010 * number for number in range(16)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (group_name(0x11EC), "X25519MLKEM768"),
        (group_name(0x6399), "X25519Kyber768Draft00"),
        (group_name(0x2A2A), "GREASE"),
        (group_name(0x4242), "0x4242"),
        (scheme_name(0x0905), "mldsa65"),
        (scheme_name(0x0807), "ed25519"),
        (scheme_name(0xFAFA), "GREASE"),
        (extension_name(0x0033), "key_share"),
        (extension_name(0x0016), "encrypt_then_mac"),
        (extension_name(0x9999), "0x9999"),
        (version_name(0x0304), "TLS 1.3"),
        (version_name(0x0303), "TLS 1.2"),
        (version_name(0x7A7A), "GREASE"),
        (version_name(0x0999), "0x0999"),
    ],
)
def test_code_points_have_names(name, said):
    assert name == said


def test_what_is_post_quantum_is_told_for_foreign_groups_too():
    assert set(HYBRID_GROUPS) < POST_QUANTUM
    assert not POST_QUANTUM & set(CLASSICAL_GROUPS)
    assert 0x0201 in POST_QUANTUM  # ML-KEM-768 alone
