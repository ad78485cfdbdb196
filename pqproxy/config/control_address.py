"""Where the control listener of a configuration file is, and nothing else of that file.

For commands that talk to what runs: they work although a certificate has ended since or the rest
of the file is being edited, and start without the schema.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pqproxy.config.addresses import parse_listen
from pqproxy.config.document import read_document, read_text
from pqproxy.config.problems import BROKEN, START, ConfigError, Problem
from pqproxy.config.values import Address, TcpAddress, UnixAddress

_PATH = ("control", "listen")


def read_control_address(path: Path, environ: Mapping[str, str]) -> Address:
    """Return the address. Raises ConfigError when the file has none."""
    document = read_document(read_text(path), environ)
    listen = _listen(document.data)
    if listen is None:
        missing = Problem(START, _PATH, "is missing: what runs from this file cannot be asked")
        raise ConfigError(str(path), document.problems or [missing])
    try:
        address = parse_listen(listen)
        if isinstance(address, TcpAddress) and address.port == 0:
            raise ValueError("port 0 is chosen anew at each start: use --control ADDR")
    except ValueError as error:
        problem = Problem(document.value_position(_PATH), _PATH, str(error))
        raise ConfigError(str(path), [problem]) from None
    if isinstance(address, UnixAddress):
        return UnixAddress(str(path.absolute().parent / address.path))
    return address


def _listen(data: Any) -> Any:
    """The value as it was written; None when there is none that could be read."""
    for key in _PATH:
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return None if data is BROKEN else data
