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


def is_available(choice):
    """Whether the library of a provider is there."""
    try:
        load_provider(choice)
    except ProviderUnavailable:
        return False
    return True
