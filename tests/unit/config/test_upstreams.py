import pytest

from pqproxy.config.upstreams import Upstreams, upstreams
from pqproxy.config.values import Egress, Ingress, Settings, TcpAddress, UnixAddress


def settings(forward, *connect):
    ingress = Ingress("in", TcpAddress("", 8443), forward, (), None)
    egress = Egress("out", TcpAddress("", 9000), connect, (), "mesh", ("x",))
    return Settings((), (), (ingress,), (egress,))


def test_every_listener_counts_and_unix_sockets_do_not():
    made = settings(TcpAddress("127.0.0.1", 8000), TcpAddress("::1", 8443), UnixAddress("/m"))

    assert upstreams(made) == Upstreams(frozenset({8000, 8443}), named=False)


def test_a_name_is_no_address():
    made = settings(UnixAddress("/m"), TcpAddress("llm.corp", 8443))

    assert upstreams(made) == Upstreams(frozenset({8443}), named=True)


@pytest.mark.parametrize(
    ("ports", "named", "covered"),
    [
        ({1}, False, True),
        ({1, 2}, False, True),
        ({3}, False, False),
        ({1}, True, False),
        (set(), False, True),
    ],
)
def test_a_worker_serves_what_it_was_confined_to_and_less(ports, named, covered):
    assert Upstreams(frozenset({1, 2}), False).cover(Upstreams(frozenset(ports), named)) is covered


def test_who_looks_up_names_needs_not_do_so():
    assert Upstreams(frozenset({1}), True).cover(Upstreams(frozenset({1}), False))
