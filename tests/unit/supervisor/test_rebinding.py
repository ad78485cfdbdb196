import contextlib
import os
import socket

import pytest

from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.supervisor.binding import bind_all
from pqproxy.supervisor.errors import StartFailure
from pqproxy.supervisor.rebinding import Rebinding
from tests.unit.supervisor.harness import ingress, settings

ANY = TcpAddress("127.0.0.1", 0)


@contextlib.contextmanager
def bound(*listeners, workers=1):
    before = settings(ingress=listeners, health=None, workers=workers)
    with bind_all(before) as sockets:
        yield before, sockets


def wanted(*listeners, workers=1):
    return settings(ingress=listeners, health=None, workers=workers)


def listens(address):
    with contextlib.closing(socket.socket()) as client:
        return client.connect_ex((address.host, address.port)) == 0


def taken(sockets, name):
    """Where a listener really is."""
    (group,) = sockets.listeners[name]
    return TcpAddress(*group[0].getsockname())


def test_what_stays_keeps_its_sockets(free_port):
    one, other = ingress("one", TcpAddress("127.0.0.1", free_port)), ingress("other", ANY)
    with bound(one, other) as (before, sockets):
        held = dict(sockets.listeners)
        rebinding = Rebinding(sockets, before, wanted(one, other))
        assert rebinding.sources(0) == ({"one": "one", "other": "other"}, [])
        rebinding.commit()

        assert sockets.listeners == held


def test_a_new_listener_is_bound_before_it_is_committed():
    with bound(ingress("one")) as (before, sockets):
        rebinding = Rebinding(sockets, before, wanted(ingress("one"), ingress("new")))
        sources, new = rebinding.sources(0)
        assert sources == {"one": "one", "new": 1}
        assert listens(TcpAddress(*new[0].getsockname()))
        assert "new" not in sockets.listeners
        rebinding.commit()

        assert listens(taken(sockets, "new"))


def test_what_is_abandoned_is_bound_no_more(free_port):
    new = ingress("new", TcpAddress("127.0.0.1", free_port))
    with bound(ingress("one")) as (before, sockets):
        rebinding = Rebinding(sockets, before, wanted(ingress("one"), new))
        rebinding.abandon()

        assert not listens(new.listen)
        assert list(sockets.listeners) == ["one"]


def test_a_removed_listener_is_given_up_with_the_commit(free_port):
    old = ingress("old", TcpAddress("127.0.0.1", free_port))
    with bound(ingress("one"), old) as (before, sockets):
        rebinding = Rebinding(sockets, before, wanted(ingress("one")))
        assert listens(old.listen)
        rebinding.commit()
        rebinding.abandon()  # means nothing any more

        assert not listens(old.listen)
        assert listens(taken(sockets, "one"))


def test_a_port_in_use_fails_and_leaves_nothing_bound(free_port):
    good = ingress("good", TcpAddress("127.0.0.1", free_port))
    with (
        bound(ingress("one")) as (before, sockets),
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        bad = ingress("bad", TcpAddress(*other.getsockname()))
        with pytest.raises(StartFailure, match=r"ingress bad: .* is in use"):
            Rebinding(sockets, before, wanted(ingress("one"), good, bad))

        assert not listens(good.listen)
        assert listens(taken(sockets, "one"))


def test_a_renamed_listener_keeps_its_sockets(free_port):
    """Bound anew, the port would be in use: by ourselves."""
    where = TcpAddress("127.0.0.1", free_port)
    with bound(ingress("old", where)) as (before, sockets):
        (held,) = sockets.listeners["old"]
        rebinding = Rebinding(sockets, before, wanted(ingress("new", where)))
        assert rebinding.sources(0) == ({"new": "old"}, [])
        rebinding.commit()

        assert sockets.listeners == {"new": [held]}
        assert listens(where)


def test_two_listeners_may_exchange_their_addresses(free_port):
    here, there = TcpAddress("127.0.0.1", free_port), TcpAddress("127.0.0.2", free_port)
    with bound(ingress("a", here), ingress("b", there)) as (before, sockets):
        rebinding = Rebinding(sockets, before, wanted(ingress("a", there), ingress("b", here)))
        assert rebinding.sources(0) == ({"a": "b", "b": "a"}, [])
        rebinding.commit()

        assert (taken(sockets, "a"), taken(sockets, "b")) == (there, here)


def test_port_0_means_another_port_for_each():
    with bound(ingress("a", ANY), ingress("b", ANY)) as (before, sockets):
        kept = taken(sockets, "b")
        rebinding = Rebinding(sockets, before, wanted(ingress("b", ANY), ingress("c", ANY)))
        rebinding.commit()

        assert taken(sockets, "b") == kept
        assert taken(sockets, "c") != kept


def test_our_own_port_under_another_address_is_explained(free_port):
    everywhere = ingress("llm", TcpAddress("", free_port))
    here = ingress("llm", TcpAddress("127.0.0.1", free_port))
    with bound(everywhere) as (before, sockets), pytest.raises(StartFailure) as failure:
        Rebinding(sockets, before, wanted(here))

    assert "listener llm has that port" in failure.value.hint


def test_every_worker_gets_a_socket_of_its_own():
    with bound(ingress("one"), workers=2) as (before, sockets):
        rebinding = Rebinding(sockets, before, wanted(ingress("one"), ingress("new"), workers=2))
        (first,), (second,) = (rebinding.sources(place)[1] for place in (0, 1))
        rebinding.abandon()

        assert first is not second


def test_a_unix_socket_file_comes_and_goes_with_its_listener(tmp_path):
    old, new = (UnixAddress(str(tmp_path / name)) for name in ("old", "new"))
    with bound(ingress("llm", old)) as (before, sockets):
        rebinding = Rebinding(sockets, before, wanted(ingress("llm", new)))
        assert sorted(os.listdir(tmp_path)) == ["new", "old"]
        rebinding.commit()
        assert os.listdir(tmp_path) == ["new"]

        Rebinding(sockets, wanted(ingress("llm", new)), wanted(ingress("llm", old))).abandon()
        assert os.listdir(tmp_path) == ["new"]
    assert os.listdir(tmp_path) == []
