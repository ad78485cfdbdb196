import pytest

from bench.gate import Load, LoadFailed


def test_a_load_that_cannot_begin_is_told_with_its_name():
    """A port where nobody listens is what a proxy that died looks like."""
    with pytest.raises(LoadFailed, match=r"bench\.bulk down 1 1 1 ended with 1"):
        Load("bench.bulk", ["down", 1, 1, 1]).__enter__()
