"""Finding and importing liboqs must have no side effect, whatever is or is not installed.

What the import does to a process shows only in a fresh one, so those tests start it.
"""

import _ctypes
import ctypes.util
import importlib.metadata
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from pqproxy.crypto import CryptoError, ProviderUnavailable, liboqs_version
from pqproxy.crypto.liboqs_library import isolated, load_liboqs, native_directories

REPOSITORY = Path(__file__).parents[3]

# Ends the process at the first thing that an innocent import would not do. time.sleep is here
# because liboqs-python counts down before it builds.
FORBID = """
import sys
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty",
             "os.posix_spawn", "os.spawn", "socket.connect", "socket.getaddrinfo", "time.sleep")
def forbid(event, arguments):
    if event in FORBIDDEN:
        import os
        os.write(2, f"forbidden: {event} {arguments}".encode())
        os._exit(70)
sys.addaudithook(forbid)
from pqproxy.crypto import ProviderUnavailable, liboqs_version, load_provider
"""


def run(script, **environment):
    """Run a script that may do nothing forbidden; its standard output and error."""
    done = subprocess.run(
        [sys.executable, "-c", FORBID + script],
        env={**os.environ, **environment},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def install_path(tmp_path, monkeypatch):
    """An empty prefix that the environment names as the place of liboqs."""
    monkeypatch.setenv("OQS_INSTALL_PATH", str(tmp_path))
    (tmp_path / "lib").mkdir()
    return tmp_path


def refusal():
    with pytest.raises(ProviderUnavailable) as refused:
        load_liboqs.__wrapped__()  # past its cache: another test may have loaded it
    return str(refused.value)


def test_without_the_native_library_nothing_is_built_run_or_printed(tmp_path):
    """liboqs-python is installed here, and importing it would clone and build C code."""
    assert importlib.metadata.version("liboqs-python")
    script = """
try:
    load_provider("liboqs")
except ProviderUnavailable as missing:
    assert "no native liboqs library in" in str(missing), missing
else:
    raise SystemExit("loaded what is not there")
assert liboqs_version() is None
assert load_provider("auto").kems["ML-KEM-768"].provider == "openssl"
assert "oqs" not in sys.modules
"""

    assert run(script, OQS_INSTALL_PATH=str(tmp_path), HOME=str(tmp_path)) == ("", "")


def test_with_the_native_library_nothing_is_run_or_printed(liboqs):
    """Its own import looks for the library with compilers and prints a banner."""
    script = """
import ctypes.util, logging
assert "oqs" not in sys.modules
search = ctypes.util.find_library
provider = load_provider("liboqs")
assert "oqs" in sys.modules
assert ctypes.util.find_library is search
kem = provider.kems["ML-KEM-768"]
key = kem.generate(bytes(64))
made = kem.encapsulate(key.encapsulation_key)
assert key.decapsulate(made.ciphertext) == made.shared_secret
assert not logging.getLogger("oqs.oqs").handlers
"""

    assert run(script) == ("", "")


def test_a_warning_at_import_does_not_become_an_error(liboqs):
    run("import warnings; warnings.simplefilter('error'); load_provider('liboqs')")


def test_threads_may_load_it_at_once(liboqs):
    script = """
from concurrent.futures import ThreadPoolExecutor
import ctypes.util
search = ctypes.util.find_library
with ThreadPoolExecutor(8) as threads:
    loaded = list(threads.map(lambda _: load_provider("liboqs"), range(8)))
assert len(loaded) == 8
assert ctypes.util.find_library is search
"""

    assert run(script) == ("", "")


def test_the_version_needs_no_import_of_the_wrapper(liboqs):
    output, _ = run("print(liboqs_version()); assert 'oqs' not in sys.modules")

    assert output.strip() == load_liboqs().oqs_version()


def test_a_named_place_is_the_only_one(install_path):
    """Who names a library wants that one, not whichever the system has."""
    assert native_directories() == (install_path / "lib", install_path / "lib64")


def test_without_a_named_place_the_home_comes_before_the_system(tmp_path, monkeypatch):
    monkeypatch.delenv("OQS_INSTALL_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    directories = native_directories()

    assert directories[:2] == (tmp_path / "_oqs/lib", tmp_path / "_oqs/lib64")
    assert Path("/usr/local/lib") in directories
    assert Path("/usr/lib") in directories


def test_the_refusal_names_every_place_and_the_fix(install_path):
    text = refusal()

    assert f"{install_path}/lib, {install_path}/lib64" in text
    assert "set OQS_INSTALL_PATH to its prefix, or choose provider: openssl" in text


def test_a_file_that_is_no_library_is_named(install_path):
    (install_path / "lib/liboqs.so").write_text("not a library")

    assert f"{install_path}/lib/liboqs.so cannot be loaded" in refusal()
    assert liboqs_version() is None


@pytest.mark.parametrize("name", ["liboqs.so", "liboqs.so.9"])
def test_another_library_under_its_name_is_refused(install_path, name):
    """Also under a versioned name, the only one where no development package is installed."""
    shutil.copy(_ctypes.__file__, install_path / "lib" / name)

    assert f"{install_path}/lib/{name} is not liboqs" in refusal()
    assert liboqs_version() is None


def test_a_missing_wrapper_is_named_with_the_command_that_installs_it(monkeypatch):
    """A package called `oqs` exists too: having a module of that name is not enough."""

    def nothing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", nothing)

    assert "liboqs-python is not installed; pip install 'pqproxy[liboqs]'" in refusal()


@pytest.mark.parametrize("installed", ["0.1.0", "999.16.0"])
def test_a_wrapper_of_another_release_is_refused(liboqs, monkeypatch, installed):
    """It would read C structs by the layout of its own release."""
    monkeypatch.setattr(importlib.metadata, "version", lambda name: installed)

    assert f"{liboqs_version()} does not fit liboqs-python {installed}" in refusal()


@pytest.mark.parametrize("error", [SystemExit(1), RuntimeError("no home"), ImportError("broken")])
def test_an_import_that_fails_leaves_the_process_as_it_was(liboqs, monkeypatch, error):
    """SystemExit is how liboqs-python gives up; it must not end a server."""
    search = ctypes.util.find_library

    def fail(name):
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)

    assert f"liboqs-python does not import ({type(error).__name__}: {error})" in refusal()
    assert ctypes.util.find_library is search


def test_nothing_of_a_failure_inside_the_library_survives():
    """Its frames hold keys, and objects whose `__repr__` reads freed memory."""

    def fail(secret):
        raise ValueError(secret)

    with pytest.raises(CryptoError, match=r"^liboqs failed \(ValueError\)$") as failure:
        isolated(fail, b"secret")

    assert failure.value.__context__ is None
    assert "fail" not in {frame.name for frame in traceback.extract_tb(failure.tb)}
    assert isolated(bytes.upper, b"good") == b"GOOD"
