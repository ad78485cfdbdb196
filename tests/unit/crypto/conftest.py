import pytest

from tests.support.providers import CHOICES, provider_or_skip


@pytest.fixture(params=CHOICES)
def provider(request):
    """Each provider in turn: what holds for one must hold for all."""
    return provider_or_skip(request.param)


@pytest.fixture
def liboqs():
    return provider_or_skip("liboqs")
