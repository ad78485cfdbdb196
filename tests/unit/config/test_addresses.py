import pytest

from pqproxy.config.addresses import is_loopback, overlaps, parse_listen, parse_target
from pqproxy.config.values import TcpAddress, UnixAddress


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (":8443", TcpAddress("", 8443)),
        ("127.0.0.1:9000", TcpAddress("127.0.0.1", 9000)),
        ("[::1]:9000", TcpAddress("::1", 9000)),
        ("llm.apps.svc.cluster.local:8443", TcpAddress("llm.apps.svc.cluster.local", 8443)),
        ("my_host:80", TcpAddress("my_host", 80)),
        ("unix:/run/x.sock", UnixAddress("/run/x.sock")),
        ("localhost:0", TcpAddress("localhost", 0)),
    ],
)
def test_an_address_is_read(written, address):
    assert parse_listen(written) == address


@pytest.mark.parametrize("written", [":8443", "127.0.0.1:9000", "[::1]:9000", "unix:/run/x.sock"])
def test_an_address_is_shown_as_it_was_written(written):
    assert str(parse_listen(written)) == written


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (8443, 'did you mean ":8443"'),
        ("8443", 'did you mean ":8443"'),
        ("127.0.0.1", "did you mean 127.0.0.1:8443"),
        ("http://127.0.0.1:8000/v1", "did you mean 127.0.0.1:8000"),
        ("::1:9000", r"did you mean \[::1\]:9000"),
        ("[127.0.0.1]:9000", "is not an IPv6 address"),
        ("127.0.0:9000", "neither an IP address nor a host name"),
        ("a b:1", "neither an IP address nor a host name"),
        (".:1", "neither an IP address nor a host name"),
        ("x:65536", "above 65535"),
        ("x:http", "http is not a port number"),
        ("x:", "is not a port number"),
        ("x:٣", "is not a port number"),
        ("unix:", "names no path"),
        ("unix:/a\0b", "NUL"),
        ("unix:/" + "x" * 107, "at most 107 bytes"),
        (None, "is not an address"),
        (True, "true is not an address"),
        ("", "is not an address"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(written, said):
    with pytest.raises(ValueError, match=said):
        parse_listen(written)


def test_the_longest_unix_path_is_accepted():
    assert parse_listen("unix:/" + "x" * 106) == UnixAddress("/" + "x" * 106)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (":8000", "did you mean 127.0.0.1:8000"),
        (8000, 'did you mean "127.0.0.1:8000'),
        ("x:0", "port 0"),
    ],
)
def test_a_target_needs_a_host_and_a_port(written, said):
    with pytest.raises(ValueError, match=said):
        parse_target(written)


@pytest.mark.parametrize(
    "written",
    ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1", "unix:/x"],
)
def test_loopback_stays_on_the_machine(written):
    assert is_loopback(parse_listen(written))


@pytest.mark.parametrize(
    "written", [":1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "llm:1", "[::ffff:10.0.0.1]:1"]
)
def test_anything_else_may_leave_the_machine(written):
    assert not is_loopback(parse_listen(written))


@pytest.mark.parametrize(
    ("one", "other", "do_overlap"),
    [
        (":1", "127.0.0.1:1", True),
        (":1", ":2", False),
        ("Llm:1", "llm:1", True),
        ("127.0.0.1:1", "127.0.0.2:1", False),
        ("localhost:0", "localhost:0", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", ":1", False),
    ],
)
def test_listeners_overlap_when_they_would_want_one_socket(one, other, do_overlap):
    assert overlaps(parse_listen(one), parse_listen(other)) is do_overlap
