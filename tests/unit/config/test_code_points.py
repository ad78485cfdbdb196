import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.config.code_points import FIRST, LAST, USUAL, parse_code_point, wrong_code_points
from pqproxy.tls import SCHEMES


def wrong(**code_points):
    given = {kind.replace("_", "-"): number for kind, number in code_points.items()}
    return dict(wrong_code_points(given))


def test_the_usual_numbers_are_those_of_the_engine():
    """The layer of the configuration may not ask it."""
    engine = {row.key_algorithm: row.scheme for row in SCHEMES.rows() if row.scheme >= FIRST}

    assert engine == USUAL


@pytest.mark.parametrize("written", ["0xFE90", "0xfe90", 0xFE90])
def test_a_number_may_be_written_either_way(written):
    assert parse_code_point(written) == 0xFE90


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0x0905", "0x0905 is not of the range for private use, 0xFE00 to 0xFFFF"),
        (0xFDFF, "65023 is not of the range"),
        (0x10000, "65536 is not of the range"),
        ("-0x1", "-0x1 is not a code point such as 0xFE45"),
        ("0xFEG0", "0xFEG0 is not a code point"),
        ("mldsa65", "mldsa65 is not a code point"),
        (True, "true is not a code point"),
        (1.5, "1.5 is not a code point"),
        ([0xFE90], "a list is not a code point"),
        (None, " is not a code point"),
    ],
)
def test_what_is_no_number_of_private_use_is_refused(written, said):
    with pytest.raises(ValueError, match=said):
        parse_code_point(written)


def test_a_number_may_take_the_place_of_a_usual_one():
    assert wrong(mldsa65_ecdsa_p256=0xFE90) == {}
    assert wrong(mldsa65_ecdsa_p256=0xFE45) == {}


def test_two_kinds_may_trade_their_numbers():
    assert wrong(mldsa65_ecdsa_p256=0xFE49, mldsa87_ecdsa_p384=0xFE45) == {}


def test_a_number_stands_for_one_kind_only():
    """The usual number of a kind that was not named counts too."""
    assert "mldsa87-ecdsa-p384 already" in wrong(mldsa65_ecdsa_p256=0xFE49)["mldsa65-ecdsa-p256"]
    both = wrong(mldsa65_ecdsa_p256=0xFE90, mldsa65_ed25519=0xFE90)
    assert "0xFE90 stands for mldsa65-ecdsa-p256 already" in both["mldsa65-ed25519"]


def test_a_kind_that_there_is_not_is_named_with_the_one_that_was_meant():
    said = wrong(mldsa65_ecdsa_p255=0xFE90)["mldsa65-ecdsa-p255"]

    assert said == "mldsa65-ecdsa-p255 is no composite kind of key, did you mean mldsa65-ecdsa-p256"
    assert "use mldsa65-ecdsa-p256, " in wrong(kyber=0xFE90)["kyber"]


@given(st.dictionaries(st.sampled_from(sorted(USUAL)), st.integers(0xFE3E, 0xFE4B)))
def test_whatever_passes_gives_every_kind_a_number_of_its_own(code_points):
    """Else one of two kinds would be gone, and the other be taken for it."""
    moved = SCHEMES.with_code_points(code_points)

    assert bool(list(wrong_code_points(code_points))) is (len(moved.rows()) < len(SCHEMES.rows()))


def test_no_value_of_grease_lies_in_the_range():
    """So none has to be refused (RFC 8701: 0x0A0A, 0x1A1A, and so on)."""
    assert not any(FIRST <= 0x1010 * step + 0x0A0A <= LAST for step in range(16))
