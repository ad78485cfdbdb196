from bench.figures import FRACTIONS, quantile, quantiles


def test_quantiles_are_taken_by_nearest_rank():
    """A p99 of a hundred values is the one that one value exceeds, not a mean of two."""
    values = list(range(100, 0, -1))

    found = dict(zip(FRACTIONS, quantiles(values), strict=True))

    assert (found[0.0], found[0.5], found[0.99], found[1.0]) == (1, 50, 99, 100)
    assert quantile(values, 0.99) == 99


def test_of_a_single_value_all_quantiles_are_it():
    assert set(quantiles([7])) == {7}
