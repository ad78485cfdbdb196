import pytest

from pqproxy.config.patterns import parse_denied, parse_pattern


@pytest.mark.parametrize(
    "written",
    [
        "spiffe://corp/ns/apps/sa/llm",
        "spiffe://corp/ns/*/sa/*",
        "spiffe://corp",
        "*.example.com",
        "llm.example.com",
        "llm",
        "10.0.0.5",
        "::1",
        "any-trusted",
    ],
)
def test_a_pattern_is_taken_as_it_is(written):
    assert parse_pattern(written) == written


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("spiffe://*/ns/apps", "the trust domain is literal"),
        ("spiffe://Corp/ns", "is not a trust domain"),
        ("spiffe:///ns", "is not a trust domain"),
        ("spiffe://corp/ns/ap*", "one whole path segment"),
        ("spiffe://corp/ns/**", "one whole path segment"),
        ("spiffe://corp/ns/", "is not a path segment"),
        ("spiffe://corp/../sa", "is not a path segment"),
        ("spiffe://corp/a b", "is not a path segment"),
        ("https://corp/ns", "not https://"),
        ("*", "did you mean any-trusted"),
        ("a.*.example.com", "whole leftmost label"),
        ("a*.example.com", "whole leftmost label"),
        ("*example.com", "whole leftmost label"),
        ("a..b", "neither a spiffe:// URI"),
        ("", "is not an identity"),
        (7, "7 is not an identity"),
    ],
)
def test_what_is_no_pattern_is_refused_with_a_reason(written, said):
    with pytest.raises(ValueError, match=said.replace("*", r"\*")):
        parse_pattern(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("spiffe://corp/ns/old/sa/*", "spiffe://corp/ns/old/sa/*"),
        ("*.old.test", "*.old.test"),
        ("10.0.0.5", "10.0.0.5"),
        ("serial:0A:1B:2c", "serial:a1b2c"),
        ("serial:0", "serial:0"),
        ("serial:" + "f" * 40, "serial:" + "f" * 40),
    ],
)
def test_what_is_denied_is_a_pattern_or_a_serial_number(written, meant):
    assert parse_denied(written) == meant


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("any-trusted", "would deny everybody"),
        ("*", "too wide"),
        ("serial:", "is not a serial number"),
        ("serial:0x1b", "is not a serial number"),
        ("serial:" + "f" * 41, "is not a serial number"),
        ("https://corp/ns", "not https://"),
        (7, "7 is not an identity"),
    ],
)
def test_what_cannot_be_denied_is_refused_with_a_reason(written, said):
    with pytest.raises(ValueError, match=said):
        parse_denied(written)
