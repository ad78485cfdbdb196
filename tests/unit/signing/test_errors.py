from pqproxy.signing.errors import SigningError


def test_an_error_says_what_to_do():
    error = SigningError("what", "fix")
    assert (str(error), error.fix) == ("what", "fix")
    assert SigningError("what").fix == ""
