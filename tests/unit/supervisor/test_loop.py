import asyncio
import sys

import uvloop

from pqproxy.supervisor.loop import loop_factory


def test_uvloop_is_taken_where_it_is_installed():
    assert loop_factory() is uvloop.new_event_loop


def test_without_uvloop_the_standard_loop_is_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert loop_factory() is asyncio.new_event_loop
