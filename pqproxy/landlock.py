"""Landlock: a process gives up rights to files and ports that it will not need, for good.

The three system calls of Linux (since 5.13), without a library. Kernels differ in what they know
(the ABI, a number); each limits what it can. Threads that exist already are not confined, and
children are: so it belongs before the first thread. Knows nothing of settings: who may do what is
in `proxy/confinement.py` and `supervisor/confinement.py`.
"""

import contextlib
import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_RULE_PATH, _RULE_PORT = 1, 2
_PR_SET_NO_NEW_PRIVS = 38

PORTS_SINCE = 4  # the first ABI that knows ports

# Rights to files.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR = 1 << 4, 1 << 5, 1 << 6, 1 << 7
_MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK = 1 << 8, 1 << 9, 1 << 10, 1 << 11
_MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 12, 1 << 13, 1 << 14, 1 << 15
_READING = _EXECUTE | _READ_FILE | _READ_DIR
_CHANGING = (
    *(_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK),
    *(_MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEVICE),
)
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE  # others: directories

# Rights to TCP ports, and what may not leave the confined processes.
_BIND, _CONNECT = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process may still do; None: as before. A directory stands for all that is in it."""

    readable: tuple[str, ...] | None = None
    writable: tuple[str, ...] = ()  # written to, neither made nor removed
    sockets: tuple[str, ...] = ()  # directories in which unix sockets are made and removed
    connect: frozenset[int] | None = None  # TCP ports of upstreams
    bind: bool = True  # any TCP port; False: none
    abstract_sockets: bool = True  # unix sockets without a file, of other programs


def landlock_abi() -> int:
    """What the kernel knows of Landlock; 0 where it has none or was started without."""
    if sys.platform != "linux":  # where these numbers are other calls
        return 0
    try:
        return _syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def confine(confinement: Confinement) -> int:
    """Confine this thread, and what it starts, as far as the kernel can.

    Returns the ABI that did it, 0 where there is none. Raises OSError where the kernel refuses.
    """
    abi = landlock_abi()
    if abi == 0:
        return 0
    handled_files, handled_ports, scoped = _handled(confinement, abi)
    attributes = struct.pack("=QQQ", handled_files, handled_ports, scoped)[: _length(abi)]
    ruleset = _syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for paths, rights in (
            (confinement.readable or (), _READ_FILE | _READ_DIR),
            (confinement.writable, _WRITE_FILE | _TRUNCATE),
            (confinement.sockets, _MAKE_SOCK | _REMOVE_FILE),
        ):
            _allow_paths(ruleset, paths, rights & handled_files)
        if handled_ports & _CONNECT:
            for port in sorted(confinement.connect or ()):
                _syscall(_ADD_RULE, ruleset, _RULE_PORT, struct.pack("=QQ", _CONNECT, port), 0)
        _renounce_new_privileges()
        _syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _handled(confinement: Confinement, abi: int) -> tuple[int, int, int]:
    """What is forbidden unless a rule allows it: of files, of ports, and scopes."""
    unknown = {1: _REFER | _TRUNCATE | _IOCTL_DEVICE, 2: _TRUNCATE | _IOCTL_DEVICE}
    unknown |= {3: _IOCTL_DEVICE, 4: _IOCTL_DEVICE}
    files = sum(_CHANGING) | (0 if confinement.readable is None else _READING)
    ports = (0 if confinement.connect is None else _CONNECT) | (0 if confinement.bind else _BIND)
    scopes = _SCOPE_SIGNALS | (0 if confinement.abstract_sockets else _SCOPE_ABSTRACT_SOCKETS)
    return (
        files & ~unknown.get(abi, 0),
        ports if abi >= PORTS_SINCE else 0,
        scopes if abi >= 6 else 0,
    )


def _length(abi: int) -> int:
    """The attributes that this kernel knows: a longer struct would be refused."""
    return 8 if abi < PORTS_SINCE else 16 if abi < 6 else 24


def _allow_paths(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        # What is not there, or not to be reached, cannot be opened later either.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
                allowed = rights if is_directory else rights & _OF_FILES
                if allowed:
                    rule = struct.pack("=Qi", allowed, descriptor)
                    _syscall(_ADD_RULE, ruleset, _RULE_PATH, rule, 0)
            finally:
                os.close(descriptor)


def _renounce_new_privileges() -> None:
    """The kernel asks for it: a setuid program must not inherit our confinement."""
    if ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError("no_new_privs is refused")


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    """One system call. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    # A number that is not cast would arrive as 32 bits where the kernel reads 64.
    cast = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *cast)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
