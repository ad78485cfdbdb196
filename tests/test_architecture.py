"""The layers of ARCHITECTURE.md, enforced: who may import whom, and which libraries stay where."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pqproxy"
FILES = sorted(PACKAGE.rglob("*.py"))

# Package -> packages of ours that it may import. Modules at the top may be imported by all.
LAYERS = {
    "telemetry": set(),
    "config": {"telemetry"},
    "crypto": set(),
    "tls": {"crypto"},
    "tunnel": set(),
    "identity": {"config", "crypto", "telemetry"},
    "proxy": {"config", "crypto", "identity", "telemetry", "tls", "tunnel"},
    "supervisor": {"config", "crypto", "identity", "proxy", "telemetry"},
    "signing": {"config", "crypto", "identity"},
    "probing": {"config", "crypto", "identity", "tls", "tunnel"},
    "control": {"config"},
    "checking": {
        "config",
        "control",
        "crypto",
        "identity",
        "probing",
        "proxy",
        "supervisor",
        "tls",
        "tunnel",
    },
    "demo": {"config", "identity", "crypto"},
    "cli": {
        "checking",
        "config",
        "control",
        "crypto",
        "demo",
        "identity",
        "probing",
        "signing",
        "supervisor",
        "telemetry",
        "tls",
    },
}

# Library -> packages that may import it. A worker is small because these stay out of it.
LIBRARIES = {
    "pydantic": {"config"},
    "yaml": {"config"},
    "aiohttp": {"supervisor", "demo", "cli"},
    "prometheus_client": {"supervisor"},
    "oqs": {"crypto"},
    "uvloop": {"supervisor"},
    "watchfiles": {"supervisor"},
    "xllamacpp": {"demo"},
    "gguf": {"demo"},
}
SANS_IO = {"tls", "tunnel", "crypto"}  # no socket, no event loop, no clock, no log
IO_MODULES = {
    "asyncio",
    "logging",
    "select",
    "selectors",
    "socket",
    "time",
    "datetime",
    "threading",
}
# The supervisor speaks to its workers; nothing else of the data path is its business.
CHANNELS = {"pqproxy.proxy.channel", "pqproxy.proxy.handover"}


def package_of(path):
    """`tls` for pqproxy/tls/record.py; the module's own name for files at the top."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports_of(path):
    """Every module that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_imports_only_lower_layers(path):
    package = package_of(path)
    ours = {module for module in imports_of(path) if module.startswith("pqproxy.")}
    imported = {module.split(".")[1] for module in ours} - {
        "collector",
        "version",
        "hardening",
        "landlock",
        package,
    }

    if package in LAYERS:
        assert imported <= LAYERS[package], f"{package} may import {sorted(LAYERS[package])}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_library_is_imported_only_where_it_belongs(path):
    package = package_of(path)
    for module in imports_of(path):
        allowed = LIBRARIES.get(module.split(".")[0])

        assert allowed is None or package in allowed, f"{module} does not belong into {package}"


def test_the_supervisor_knows_only_the_channels_of_the_data_path():
    for path in FILES:
        if package_of(path) != "supervisor":
            continue
        modules = {m for m in imports_of(path) if m.startswith("pqproxy.proxy.")}
        files = {m for m in modules if (ROOT / (m.replace(".", "/") + ".py")).exists()}

        assert files <= CHANNELS, f"{path}: {sorted(files)}"


@pytest.mark.parametrize("package", sorted(SANS_IO))
def test_a_sans_io_package_knows_no_socket_loop_clock_or_log(package):
    for path in FILES:
        if package_of(path) == package and path.name != "liboqs_library.py":
            found = {module.split(".")[0] for module in imports_of(path)} & IO_MODULES

            assert not found, f"{name(path)} imports {sorted(found)}"


def test_every_package_has_its_place():
    packages = {package_of(path) for path in FILES if path.parent != PACKAGE}

    assert packages <= set(LAYERS)


def test_unit_tests_mirror_the_package():
    """A module and its test are found by the same name."""
    tests = {
        path.relative_to(ROOT / "tests/unit") for path in (ROOT / "tests/unit").rglob("test_*.py")
    }
    for test in tests:
        if test.parts[0] in ("bench", "reference"):
            continue
        module = PACKAGE / test.parent / test.name.removeprefix("test_")

        assert module.exists(), f"tests/unit/{test} tests no module {module.relative_to(ROOT)}"
    for path in FILES:
        if path.name in ("__init__.py", "__main__.py") or path.parent == PACKAGE:
            continue
        relative = path.relative_to(PACKAGE)
        test = relative.parent / f"test_{path.name}"

        assert test in tests, f"{name(path)} has no test tests/unit/{test}"


def test_no_module_is_called_by_nothing_in_particular():
    assert not {path.stem for path in FILES} & {"utils", "util", "helpers", "common", "misc"}


def test_no_file_is_so_long_that_two_jobs_live_in_it():
    for path in FILES:
        assert len(path.read_text().splitlines()) <= 400, f"{name(path)} has over 400 lines"
