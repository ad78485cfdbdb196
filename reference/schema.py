"""The JSON Schema of a configuration, for editors: what `pqproxy config schema` prints."""

import json

from pqproxy.config.schema import File


def schema() -> str:
    """The file."""
    return f"{json.dumps(File.model_json_schema(), indent=2)}\n"
