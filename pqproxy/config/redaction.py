"""The effective configuration as it may be shown: whose certificates, but not a byte of them."""

from dataclasses import fields, is_dataclass
from typing import Any

from pqproxy.config.values import TcpAddress, UnixAddress


def redacted(value: object) -> Any:
    """A configuration value as JSON: the contents of files (all that is bytes) never appear."""
    if isinstance(value, bytes):
        return "redacted"
    if isinstance(value, (TcpAddress, UnixAddress)):
        return str(value)
    if is_dataclass(value):
        return {field.name: redacted(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [redacted(item) for item in value]
    return value
