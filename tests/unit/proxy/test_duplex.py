import inspect

import pytest

from pqproxy.proxy.attendance import Attendance
from pqproxy.proxy.descriptor import _Nobody
from pqproxy.proxy.duplex import Duplex, Sink
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.splice import Flow
from pqproxy.proxy.tls_duplex import TlsDuplex


def methods(protocol):
    return {
        name: list(inspect.signature(member).parameters)
        for name, member in vars(protocol).items()
        if not name.startswith("_") and inspect.isfunction(member)
    }


@pytest.mark.parametrize(
    ("protocol", "implementation"),
    [
        (Duplex, SocketDuplex),
        (Duplex, TlsDuplex),
        (Sink, Flow),
        (Sink, Attendance),
        (Sink, _Nobody),
    ],
)
def test_every_implementation_has_every_call_with_the_same_parameters(protocol, implementation):
    for name, parameters in methods(protocol).items():
        found = inspect.signature(getattr(implementation, name))
        assert list(found.parameters) == parameters
