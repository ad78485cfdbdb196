"""What is counted as cryptography is what a handshake needs: no more, or others look cheap."""

import pytest

from bench.primitives import Primitives, cpu_seconds


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_mutual_handshake_needs_more(side):
    operations = getattr(Primitives(), side)

    assert len(operations(mutual=True)) > len(operations(mutual=False))


def test_every_operation_works_and_takes_time():
    primitives = Primitives()

    assert cpu_seconds(primitives.client(mutual=True), 2) > 0
    assert cpu_seconds(primitives.server(mutual=True), 2) > 0
