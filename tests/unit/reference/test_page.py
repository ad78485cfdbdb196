import re

from pqproxy.cli.main import COMMANDS
from pqproxy.config.schema import File
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from reference.page import page

PAGE = page()


def test_every_command_is_there():
    assert all(f"### pqproxy {name}" in PAGE for name in COMMANDS)


def test_every_section_and_key_is_there():
    schema = File.model_json_schema()
    for definition in (schema, *schema["$defs"].values()):
        for key in definition["properties"]:
            assert f"| `{key}` |" in PAGE


def test_every_reason_is_there_with_its_explanation():
    for word in (*ReasonCode, *EndReason):
        assert f"[`{word}`](troubleshooting.md#{word})" in PAGE


def test_metrics_are_there_under_the_names_that_are_scraped():
    assert (
        "| `pqproxy_connections_total` | counter | `listener`, `transport`, `end_reason` |" in PAGE
    )
    assert "| `pqproxy_draining` | gauge |  |" in PAGE


def test_every_row_of_a_table_has_its_cells():
    """A bar in a value would end its cell."""
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    width = 0
    for row, following in zip(rows, [*rows[1:], ""], strict=True):
        cells = len(re.findall(r"(?<!\\)\|", row))
        if set(following) <= set("|- ") and following:
            width = cells
        assert cells == width, row
