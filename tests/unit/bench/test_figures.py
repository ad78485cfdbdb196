from bench.figures import at, quantiles


def test_quantiles_are_taken_by_nearest_rank():
    """A p99 of a hundred values is the one that one value exceeds, not a mean of two."""
    values = list(range(100, 0, -1))

    found = quantiles(values)

    assert [at(found, fraction) for fraction in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]


def test_of_a_single_value_all_quantiles_are_it():
    assert set(quantiles([7])) == {7}
