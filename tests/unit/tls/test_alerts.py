import pytest

from pqproxy.tls.alerts import (
    AlertDescription,
    FatalAlert,
    alert_name,
    decode_error,
    illegal_parameter,
    unexpected_message,
)


@pytest.mark.parametrize(
    ("description", "value"),
    [
        (AlertDescription.CLOSE_NOTIFY, 0),
        (AlertDescription.UNEXPECTED_MESSAGE, 10),
        (AlertDescription.BAD_RECORD_MAC, 20),
        (AlertDescription.RECORD_OVERFLOW, 22),
        (AlertDescription.ILLEGAL_PARAMETER, 47),
        (AlertDescription.DECODE_ERROR, 50),
        (AlertDescription.INSUFFICIENT_SECURITY, 71),
        (AlertDescription.MISSING_EXTENSION, 109),
        (AlertDescription.CERTIFICATE_REQUIRED, 116),
        (AlertDescription.GENERAL_ERROR, 117),
        (AlertDescription.NO_APPLICATION_PROTOCOL, 120),
    ],
)
def test_alerts_have_the_numbers_of_the_standard(description, value):
    assert description == value


def test_an_alert_is_named_in_the_spelling_of_the_standard():
    assert alert_name(71) == "insufficient_security"


def test_an_alert_that_we_do_not_know_is_named_by_number():
    assert alert_name(255) == "alert 255"


def test_a_fatal_alert_says_to_the_operator_what_the_peer_does_not_learn():
    error = FatalAlert(AlertDescription.ACCESS_DENIED, "not in the list")

    assert str(error) == "access_denied: not in the list"
    assert (error.description, error.reason) == (AlertDescription.ACCESS_DENIED, "not in the list")


@pytest.mark.parametrize(
    ("make", "description"),
    [
        (decode_error, AlertDescription.DECODE_ERROR),
        (illegal_parameter, AlertDescription.ILLEGAL_PARAMETER),
        (unexpected_message, AlertDescription.UNEXPECTED_MESSAGE),
    ],
)
def test_each_shorthand_makes_the_alert_of_its_name(make, description):
    assert make("why").description is description
