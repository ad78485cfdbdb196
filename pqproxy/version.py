"""The version, in one place: `pyproject.toml`, `--version` and the metrics read it here."""

VERSION = "0.1.0"
