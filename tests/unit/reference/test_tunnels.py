"""docs/tunnels.md is written by hand; what it must have is held here."""

import re
from pathlib import Path

from pqproxy.config.document import Document
from pqproxy.config.schema import EgressTunnelEntry
from pqproxy.config.validation import validate
from pqproxy.config.values import TunnelMode
from pqproxy.telemetry.reasons import TunnelEnd

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/tunnels.md").read_text()
# As metric_names.txt has them: counters without _total.
METRICS = {
    line.split()[0]
    for line in (ROOT / "tests/unit/supervisor/metric_names.txt").read_text().splitlines()
}


def rows(chapter):
    """The first column of a chapter's table."""
    part = TEXT.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    return [cell for line in part.splitlines() for cell in re.findall(r"^\| `([^`]+)`", line)]


def test_every_end_of_a_tunnel_is_explained():
    """The word in the log is what somebody searches for."""
    assert sorted(rows("How a tunnel ends")) == sorted({"reason", *TunnelEnd})


def test_every_key_and_mode_is_explained():
    egress, ingress = rows("At the egress"), rows("At the ingress")

    assert egress[:3] == [f"mode: {mode}" for mode in TunnelMode]
    assert ["mode", *egress[3:]] == list(EgressTunnelEntry.model_fields)
    assert ingress == [*TunnelMode]


def test_metrics_are_called_as_they_are_exported():
    named = {name.removesuffix("_total") for name in re.findall(r"pqproxy_\w+", TEXT)}

    assert {name for name in METRICS if name.startswith("pqproxy_tunnel")} <= named <= METRICS


def test_what_it_says_to_write_can_be_written():
    lines = set(re.findall(r"tunnel: (\{.*?\})", TEXT))
    entries = {"mode": str, "count": int, "max_age": str}
    assert lines
    for line in lines:
        pairs = (pair.split(": ") for pair in line.strip("{}").split(", "))
        tunnel = {key: entries[key](value) for key, value in pairs}
        listener = {"name": "a", "listen": "127.0.0.1:1", "connect": ["b:1"], "trust": "mesh"}

        _, problems = validate(Document({"version": 1, "egress": [{**listener, "tunnel": tunnel}]}))

        assert problems == []
