import pytest

from pqproxy.config.units import parse_duration, parse_size, shown


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("10s", 10.0),
        ("1.5s", 1.5),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("2d", 172800.0),
    ],
)
def test_a_duration_is_read_in_its_unit(written, seconds):
    assert parse_duration(written) == seconds


def test_never_is_no_duration_at_all():
    assert parse_duration("never") is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (10, "10 needs a unit, did you mean 10s"),
        ("10", "10 needs a unit, did you mean 10s"),
        ("10sec", "sec is not a unit of time"),
        ("10:30", "10:30 is not a duration"),
        ("-5s", "-5s is not a duration"),
        (True, "true is not a duration"),
        ("off", "did you mean never"),
        ("none", "did you mean never"),
        (None, "nothing is not a duration"),
        ({}, "a mapping is not a duration"),
    ],
)
def test_what_is_no_duration_is_refused_with_a_reason(written, said):
    with pytest.raises(ValueError, match=said):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (256, 256),
        ("256", 256),
        ("256B", 256),
        ("128KiB", 131072),
        ("1MiB", 1048576),
        ("none", None),
    ],
)
def test_a_size_is_read_in_bytes(written, size):
    assert parse_size(written) == size


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("128KB", "did you mean 128KiB"),
        ("1.5MiB", "is not a size"),
        ("lots", "is not a size"),
        ([], "a list is not a size"),
        (False, "false is not a size .*, did you mean none"),
        ("never", "did you mean none"),
        ("3parsecs", "parsecs is not a unit of size"),
    ],
)
def test_what_is_no_size_is_refused_with_a_reason(written, said):
    with pytest.raises(ValueError, match=said):
        parse_size(written)


def test_a_long_value_is_cut_where_it_is_shown():
    assert len(shown("x" * 1000)) == 60
