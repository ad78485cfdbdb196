"""pqproxy: post-quantum TLS for model servers that nobody can change."""

from pqproxy.version import VERSION as __version__

__all__ = ["__version__"]
