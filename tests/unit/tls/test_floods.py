import pytest

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.floods import Floods

COUNTS = [
    (Floods.empty_record, 32),
    (Floods.post_handshake_message, 32),
    (Floods.warning, 4),
    (Floods.change_cipher_spec, 32),
]
each_count = pytest.mark.parametrize(
    ("count", "limit"), COUNTS, ids=lambda v: getattr(v, "__name__", None)
)


def refused(call):
    with pytest.raises(FatalAlert) as caught:
        call()
    assert caught.value.description is AlertDescription.UNEXPECTED_MESSAGE


@each_count
def test_as_many_as_the_limit_are_borne_and_one_more_is_not(count, limit):
    floods = Floods()
    for _ in range(limit):
        count(floods)

    refused(lambda: count(floods))


@pytest.mark.parametrize(("count", "limit"), COUNTS[:3], ids=lambda v: getattr(v, "__name__", None))
def test_application_data_starts_the_count_anew(count, limit):
    floods = Floods()
    for _ in range(3):
        for _ in range(limit):
            count(floods)
        floods.data_came()


def test_compatibility_records_are_counted_over_the_whole_handshake():
    floods = Floods()
    for _ in range(32):
        floods.data_came()
        floods.change_cipher_spec()

    refused(floods.change_cipher_spec)


def test_counts_do_not_add_up_across_kinds():
    floods = Floods()
    for count, limit in COUNTS:
        for _ in range(limit):
            count(floods)


def test_early_data_is_counted_in_bytes():
    floods = Floods()
    floods.early_data(16_384)
    floods.early_data(16_384)

    refused(lambda: floods.early_data(1))


def test_early_data_without_a_byte_is_a_flood_of_empty_records():
    floods = Floods()
    for _ in range(32):
        floods.early_data(0)

    refused(lambda: floods.early_data(0))
