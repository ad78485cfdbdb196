"""A worker's event loop, turned by hand, for what is limited beyond the engine."""

from tests.unit.proxy.conftest import world

__all__ = ["world"]
