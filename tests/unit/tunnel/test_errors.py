"""The numbers of the codes are on the wire: they never change."""

from pqproxy.tunnel import ErrorCode, TunnelError


def test_codes_keep_their_numbers():
    assert {each.name: each.value for each in ErrorCode} == {
        "NONE": 0,
        "PROTOCOL_ERROR": 1,
        "INTERNAL_ERROR": 2,
        "CANCELLED": 3,
        "UPSTREAM_DOWN": 4,
        "UPSTREAM_LEFT": 5,
        "TIMEOUT": 6,
        "OVERLOAD": 7,
        "UNAUTHORISED": 8,
        "DRAINING": 9,
        "NO_ROUTE": 10,
        "REFUSED": 11,
    }


def test_a_broken_rule_is_a_protocol_error_that_names_it():
    error = TunnelError("PING of 3 bytes")

    assert (error.code, error.rule, str(error)) == (
        ErrorCode.PROTOCOL_ERROR,
        "PING of 3 bytes",
        "PING of 3 bytes",
    )
