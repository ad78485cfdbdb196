"""Landlock twice: the real kernel, in processes of their own, and older kernels by a fake."""

import errno
import json
import os
import socket
import struct
import subprocess
import sys

import pytest

from pqproxy import landlock
from pqproxy.landlock import PORTS_SINCE, Confinement, confine, landlock_abi

ABI = landlock_abi()
needs_landlock = pytest.mark.skipif(ABI == 0, reason="this kernel has no Landlock")
needs_ports = pytest.mark.skipif(
    ABI < PORTS_SINCE, reason=f"ports need Landlock ABI {PORTS_SINCE}, here is {ABI}"
)

# Confines itself, then tries each step, and says the error number of each: 0 when it went well.
SCRIPT = """
import json, os, socket, subprocess, sys
from pqproxy.landlock import Confinement, confine
told = json.loads(sys.argv[1])
if told["connect"] is not None:
    told["connect"] = frozenset(told["connect"])
confine(Confinement(**told))
def attempt(step):
    try:
        eval(step)
    except OSError as error:
        return error.errno
    return 0
print([attempt(step) for step in sys.argv[2:]])
"""


def attempts(*steps, readable=None, connect=None, **more):
    if readable is not None:
        readable = [*readable, *filter(None, sys.path), "/lib", "/lib64", "/usr/lib"]
    told = {"readable": readable, "connect": connect, **more}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(told), *steps],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return json.loads(ended.stdout)


@needs_landlock
def test_only_what_is_readable_can_be_read(tmp_path):
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("content")

    found = attempts(
        *(f"open({str(tmp_path / name / 'file')!r})" for name in ("ours", "theirs")),
        "os.listdir('/')",
        "os.execv('/bin/true', ['true'])",
        readable=[str(tmp_path / "ours")],
    )

    assert found == [0, errno.EACCES, errno.EACCES, errno.EACCES]


@needs_landlock
def test_nothing_is_written_made_or_removed_but_what_is_named(tmp_path):
    (tmp_path / "log").write_text("")
    (tmp_path / "key").write_text("")

    found = attempts(
        f"open({str(tmp_path / 'log')!r}, 'a')",
        f"open({str(tmp_path / 'key')!r}, 'a')",
        f"open({str(tmp_path / 'new')!r}, 'x')",
        f"os.unlink({str(tmp_path / 'log')!r})",
        f"os.mkdir({str(tmp_path / 'directory')!r})",
        "open('/etc/hostname').close() or subprocess.run(['/bin/true'], check=True)",
        writable=[str(tmp_path / "log"), os.devnull],
    )

    assert found == [0, *[errno.EACCES] * 4, 0]


@needs_landlock
def test_unix_sockets_are_made_and_removed_in_their_directory_only(tmp_path):
    (tmp_path / "run").mkdir()
    inside, outside = tmp_path / "run" / "s", tmp_path / "s"

    found = attempts(
        f"socket.socket(socket.AF_UNIX).bind({str(inside)!r})",
        f"os.unlink({str(inside)!r})",
        f"socket.socket(socket.AF_UNIX).bind({str(outside)!r})",
        sockets=[str(tmp_path / "run")],
    )

    assert found == [0, 0, errno.EACCES]


@needs_ports
def test_only_named_ports_are_reached_and_none_is_bound():
    with (
        socket.create_server(("127.0.0.1", 0)) as upstream,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        ports = [server.getsockname()[1] for server in (upstream, other)]

        found = attempts(
            *(f"socket.create_connection(('127.0.0.1', {port}))" for port in ports),
            "socket.socket().bind(('127.0.0.1', 0))",
            connect=[ports[0]],
            bind=False,
        )

    assert found == [0, errno.EACCES, errno.EACCES]


@pytest.mark.skipif(ABI < 6, reason=f"signals need Landlock ABI 6, here is {ABI}")
def test_no_other_process_hears_a_signal(tmp_path):
    found = attempts(f"os.kill({os.getpid()}, 0)", "os.kill(os.getpid(), 0)")

    assert found == [errno.EPERM, 0]


class Kernel:
    """Answers like a kernel of an ABI and keeps what it was told."""

    def __init__(self, abi):
        self.abi = abi
        self.handled, self.rules, self.restricted = (), [], False

    def __call__(self, number, *arguments):
        match number, arguments:
            case 444, (None, 0, 1):
                if self.abi == 0:
                    raise OSError(errno.ENOSYS, "Function not implemented")
                return self.abi
            case 444, (attributes, length, 0):
                assert length == len(attributes)
                self.handled = struct.unpack(f"={length // 8}Q", attributes)
                return os.open("/dev/null", os.O_RDONLY)
            case 445, (_, 1, rule, 0):
                allowed, descriptor = struct.unpack("=Qi", rule)
                assert allowed & ~self.handled[0] == 0, "a real kernel refuses that"
                self.rules.append((os.readlink(f"/proc/self/fd/{descriptor}"), allowed))
            case 445, (_, 2, rule, 0):
                self.rules.append(struct.unpack("=QQ", rule)[::-1])
            case 446, (_, 0):
                self.restricted = True
        return 0


@pytest.fixture
def kernel(monkeypatch):
    def make(abi):
        kernel = Kernel(abi)
        monkeypatch.setattr(landlock, "_syscall", kernel)
        monkeypatch.setattr(landlock, "_renounce_new_privileges", lambda: None)
        return kernel

    return make


EVERYTHING = Confinement(
    ("/usr",), ("/dev/null",), ("/run",), frozenset({8000}), bind=False, abstract_sockets=False
)


@pytest.mark.parametrize(
    ("abi", "fields", "highest_right", "scopes"),
    [(1, 1, 12, 0), (2, 1, 13, 0), (3, 1, 14, 0), (4, 2, 14, 0), (5, 2, 15, 0), (6, 3, 15, 3)],
)
def test_each_abi_is_asked_for_what_it_knows(kernel, abi, fields, highest_right, scopes):
    """A kernel refuses the whole set when one bit of it is newer than the kernel."""
    kernel = kernel(abi)

    assert confine(EVERYTHING) == abi
    assert kernel.restricted
    assert len(kernel.handled) == fields
    assert kernel.handled[0] == (2 << highest_right) - 1
    assert kernel.handled[1:2] in ((), (3,))
    assert kernel.handled[2:] in ((), (scopes,))
    assert ((8000, 2) in kernel.rules) == (abi >= 4)


def test_a_newer_kernel_than_we_know_is_asked_for_what_we_know(kernel):
    kernel = kernel(99)

    assert confine(EVERYTHING) == 99
    assert kernel.handled == ((1 << 16) - 1, 3, 3)


def test_where_there_is_none_nothing_happens(kernel):
    kernel = kernel(0)

    assert landlock_abi() == 0
    assert confine(EVERYTHING) == 0
    assert not kernel.restricted


def test_on_another_system_no_call_is_made(monkeypatch):
    """The same number is something else there."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(landlock, "_syscall", lambda *_: pytest.fail("called"))

    assert landlock_abi() == 0


def test_a_path_that_is_not_there_needs_no_right(kernel, tmp_path):
    kernel = kernel(7)
    path = str(tmp_path.resolve())

    confine(Confinement((path, f"{path}/missing")))

    assert [where for where, _ in kernel.rules] == [path]


def test_a_file_gets_no_rights_of_directories(kernel, tmp_path):
    """A kernel refuses the rule otherwise."""
    file = tmp_path.resolve() / "hosts"
    file.write_text("")
    kernel = kernel(7)

    confine(Confinement((str(file),)))

    assert kernel.rules == [(str(file), 1 << 2)]


def test_what_the_kernel_refuses_is_raised_and_leaves_no_descriptor(kernel, monkeypatch):
    kernel = kernel(7)
    before = set(os.listdir("/proc/self/fd"))

    def refuse(number, *arguments):
        if number == 446:
            raise OSError(errno.E2BIG, "too many layers")
        return kernel(number, *arguments)

    monkeypatch.setattr(landlock, "_syscall", refuse)

    with pytest.raises(OSError, match="too many layers"):
        confine(EVERYTHING)
    assert set(os.listdir("/proc/self/fd")) == before
