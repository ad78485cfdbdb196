import pytest

from pqproxy.telemetry.labels import GROUPS, SIGNATURES, closed
from pqproxy.tls import SCHEMES, NamedGroup


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("X25519MLKEM768", "X25519MLKEM768"),
        ("X25519MLKEM1024", "X25519MLKEM1024"),
        ("0x1234", "other"),
        (None, "none"),
        ("", "other"),
    ],
)
def test_a_label_outside_its_set_becomes_other(value, shown):
    assert closed(value, GROUPS) == shown


def test_whatever_the_engine_agrees_on_has_its_own_label():
    """The layer of telemetry may not ask it."""
    assert {group.name for group in NamedGroup} == GROUPS
    assert {SCHEMES.name(scheme) for scheme in SCHEMES.handshake_schemes()} == SIGNATURES
