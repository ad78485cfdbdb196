"""Crypto providers for tests: a skip names the library that is missing and where it was sought."""

import pytest

from pqproxy.crypto import ProviderUnavailable, load_provider

CHOICES = ("openssl", "liboqs", "auto")


def provider_or_skip(choice):
    """The provider of that name; skips the test where its library is missing."""
    try:
        return load_provider(choice)
    except ProviderUnavailable as missing:
        pytest.skip(f"provider {choice}: {missing}")
