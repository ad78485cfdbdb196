import copy
import pickle

import pytest

from pqproxy.tls.secrets import Secret

VALUE = b"correct horse battery staple"


@pytest.mark.parametrize("form", [repr, str, "{}".format, "%s".__mod__, "{!a}".format])
def test_a_secret_cannot_be_printed_by_accident(form):
    printed = form(Secret(VALUE))

    assert "horse" not in printed
    assert VALUE.hex() not in printed
    assert printed == "Secret(28 bytes)"


def test_secrets_compare_by_value():
    assert Secret(VALUE) == Secret(bytes(VALUE))
    assert Secret(VALUE) != Secret(VALUE[:-1] + b"f")
    assert Secret(VALUE) != Secret(VALUE + b"x")


def test_a_secret_never_equals_bare_bytes():
    assert Secret(VALUE) != VALUE


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_does_not_leave_its_process(leave):
    with pytest.raises(TypeError, match="does not leave"):
        leave(Secret(VALUE))


def test_a_secret_is_no_dictionary_key():
    with pytest.raises(TypeError):
        {Secret(VALUE): 1}


def test_a_secret_is_exposed_only_by_name():
    secret = Secret(VALUE)

    assert secret.expose() == VALUE
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        bytes(secret)
