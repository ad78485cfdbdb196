import pytest

from pqproxy.telemetry.labels import GROUPS, closed


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
