"""What the figures were measured on; without it they mean nothing."""

import os
import platform
import sysconfig
from importlib import metadata
from pathlib import Path

from bench.processes import CORES, LOAD_CORE, PROXY_CORE


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
        "libraries": ", ".join(_library(name) for name in ("cryptography", "uvloop")),
        "pinning": f"proxies on core {PROXY_CORE}, load and backend on core {LOAD_CORE}",
    }


def describe_build(arguments: str) -> str:
    """How an interpreter was built, by its configure arguments: it decides a fifth of its speed."""
    optimized = "--enable-optimizations" in arguments
    return "profile-guided build" if optimized else "built without --enable-optimizations"


def _build() -> str:
    return describe_build(sysconfig.get_config_var("CONFIG_ARGS") or "")


def _library(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"
