"""Addresses as people write them, and whether they leave the machine.

`:8443`, `127.0.0.1:9000`, `[::1]:9000`, `name:port`, `unix:/run/model.sock`.
"""

import ipaddress
import re

from pqproxy.config.units import shown
from pqproxy.config.values import Address, TcpAddress, UnixAddress

# What sockaddr_un holds on Linux, without the final NUL.
UNIX_PATH_LIMIT = 107

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<authority>[^/]*)/?.*")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")


def parse_listen(value: object) -> Address:
    """Read an address to listen at; without a host it means every interface. Raises ValueError."""
    return _parse(value, ":")


def parse_target(value: object) -> Address:
    """Read an address to connect to: it needs a host and a port. Raises ValueError."""
    address = _parse(value, "127.0.0.1:")
    if isinstance(address, TcpAddress):
        if not address.host:
            raise ValueError(f"{value} names no host, did you mean 127.0.0.1{value}")
        if address.port == 0:
            raise ValueError("port 0 cannot be connected to")
    return address


def is_loopback(address: Address) -> bool:
    """Whether what passes there stays on this machine. Names other than localhost count as away."""
    if isinstance(address, UnixAddress):
        return True
    if address.host.casefold() == "localhost":
        return True
    literal = ip_literal(address.host)
    if isinstance(literal, ipaddress.IPv6Address) and literal.ipv4_mapped is not None:
        return literal.ipv4_mapped.is_loopback
    return literal is not None and literal.is_loopback


def ip_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a host literally is, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def overlaps(one: Address, other: Address) -> bool:
    """Whether two listeners would ask for the same socket."""
    if isinstance(one, UnixAddress) or isinstance(other, UnixAddress):
        return one == other
    if one.port != other.port or one.port == 0:
        return False
    hosts = {one.host.casefold(), other.host.casefold()}
    return len(hosts) == 1 or "" in hosts


def _parse(value: object, before_port: str) -> Address:
    if _is_number(value):
        raise ValueError(f'{value} is only a number, did you mean "{before_port}{value}"')
    if not isinstance(value, str) or not value:
        raise ValueError(f"{shown(value)} is not an address such as :8443 or 127.0.0.1:9000")
    if value.startswith("unix:"):
        return _unix(value.removeprefix("unix:"))
    if url := _URL.fullmatch(value):
        raise ValueError(f"takes an address, not a URL, did you mean {url['authority']}")
    host, separator, port = value.rpartition(":")
    if not separator:
        raise ValueError(f"{shown(value)} names no port, did you mean {value}:8443")
    return TcpAddress(_host(host, value), _port(port))


def _unix(path: str) -> UnixAddress:
    if not path:
        raise ValueError("unix: names no path, did you mean unix:/run/pqproxy.sock")
    if "\0" in path:
        raise ValueError("a path cannot hold a NUL")
    if len(path.encode()) > UNIX_PATH_LIMIT:
        raise ValueError(f"the path of a unix socket has at most {UNIX_PATH_LIMIT} bytes")
    return UnixAddress(path)


def _is_number(value: object) -> bool:
    # A boolean is an int to Python; text of digits comes from a command line.
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer or (isinstance(value, str) and value.isdecimal())


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{shown(text) or 'nothing'} is not a port number")
    if (port := int(text)) > 65535:
        raise ValueError(f"port {port} is above 65535")
    return port


def _host(host: str, whole: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        inner = host[1:-1]
        if not isinstance(ip_literal(inner), ipaddress.IPv6Address):
            raise ValueError(f"{shown(inner)} is not an IPv6 address")
        return inner
    if ":" in host:
        raise ValueError(
            f"IPv6 goes into brackets, did you mean [{host}]:{whole.rpartition(':')[2]}"
        )
    if host and ip_literal(host) is None and not _is_name(host):
        raise ValueError(f"{shown(host)} is neither an IP address nor a host name")
    return host


def _is_name(host: str) -> bool:
    # A last label of digits only is a mistyped IPv4 address, never a name (RFC 1123 §2.1).
    last = host.rstrip(".").rpartition(".")[2]
    return _NAME.fullmatch(host) is not None and not last.isdecimal()
