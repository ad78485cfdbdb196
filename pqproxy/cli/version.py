"""`pqproxy --version`: the versions of all that decides what a handshake can be."""

import platform

from pqproxy.config.groups import CLASSICAL, POST_QUANTUM, PRIVATE
from pqproxy.version import VERSION


def report() -> str:
    """Return the lines."""
    from pqproxy.crypto import openssl_version

    lines = {
        "pqproxy": VERSION,
        "Python": platform.python_version(),
        "OpenSSL": openssl_version().removeprefix("OpenSSL "),
        "liboqs": _liboqs(),
        "groups": ", ".join(POST_QUANTUM),
        "by name in groups:": f"{', '.join(PRIVATE)} too (private use, between sidecars)",
        "with policy: prefer": f"{', '.join(CLASSICAL)} too",
    }
    return "\n".join(f"{name} {value}" for name, value in lines.items())


def _liboqs() -> str:
    from pqproxy.crypto import ProviderUnavailable, liboqs_version, load_provider

    try:
        load_provider("liboqs")
    except ProviderUnavailable as error:
        found = liboqs_version()
        return f"{found}, unusable: {error}" if found else f"not found: {error}"
    return str(liboqs_version())
