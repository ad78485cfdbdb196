"""What the figures were measured on; without it they mean nothing."""

import os
import platform
import sys
import sysconfig
import time
from importlib import metadata
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.processes import CORES, LOAD_CORE, PROXY_CORES

SEALS = 1000


def parse_cpu_model(cpuinfo: str) -> str:
    """The processor's name in /proc/cpuinfo; some architectures give none."""
    for line in cpuinfo.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe() -> dict[str, str]:
    """Name and value, for people."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": f"{parse_cpu_model(Path('/proc/cpuinfo').read_text())}, {len(CORES)} cores",
        "memory": f"{gigabytes:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, {_build()}",
        "AES-256-GCM, 16 KB in place": f"{seal_microseconds():.1f} us",
        "libraries": ", ".join(_library(name) for name in ("cryptography", "uvloop")),
        "pinning": f"proxies on core {PROXY_CORES[0]}, load and backend on core {LOAD_CORE}",
    }


def seal_microseconds() -> float:
    """What one full record costs to encrypt, at best: processors differ by a factor of four."""
    key, nonce, record = AESGCM(bytes(32)), bytes(12), memoryview(bytearray((1 << 14) + 16))
    fastest = float("inf")
    for _ in range(SEALS):
        started = time.perf_counter()
        key.encrypt_into(nonce, record[: 1 << 14], None, record)
        fastest = min(fastest, time.perf_counter() - started)
    return fastest * 1e6


def describe_build(arguments: str, prefix: str) -> str:
    """How an interpreter was built, by its configure arguments: it decides a fifth of its speed.

    Distributions ask for the same optimisations in another way, which leaves no trace there.
    """
    if "--enable-optimizations" in arguments:
        return "profile-guided build"
    if prefix == "/usr":
        return "as the distribution builds it"
    return "built without --enable-optimizations"


def _build() -> str:
    return describe_build(sysconfig.get_config_var("CONFIG_ARGS") or "", sys.base_prefix)


def _library(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"
