from pqproxy.supervisor.reading import Reading, Readings
from tests.unit.supervisor.harness import settings

FIRST, RENEWED, OTHER = settings(), settings(workers=2), settings(workers=3)


def test_the_files_are_read_by_the_configuration_in_force_and_not_by_the_one_on_disk():
    """Somebody may be editing that one while certificates are renewed."""
    readings = Readings(Reading(FIRST, lambda: RENEWED), lambda in_force: Reading(OTHER, list))

    assert readings.files().settings is RENEWED
    assert readings.files().again() is RENEWED


def test_a_configuration_is_read_beside_the_one_in_force():
    asked = []
    readings = Readings(
        Reading(FIRST, lambda: RENEWED),
        lambda in_force: asked.append(in_force) or Reading(OTHER, lambda: OTHER),
    )

    assert readings.configuration().settings is OTHER
    assert asked == [FIRST]
    assert readings.files().settings is RENEWED
