"""Finds the native liboqs and imports liboqs-python around it, or says what is missing.

liboqs-python, imported where it finds no native library, clones and builds one and ends the
process; on the way it runs compilers to look for it and prints on standard output. So the library
is found and opened here first, and the import is handed exactly that file.
"""

import contextlib
import ctypes
import ctypes.util
import functools
import importlib
import logging
import os
import sysconfig
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pqproxy.crypto.errors import CryptoError, ProviderUnavailable

INSTALL_PATH = "OQS_INSTALL_PATH"  # liboqs-python's own variable
_DISTRIBUTION = "liboqs-python"  # a package called `oqs` exists too, and is something else
_OTHERWISE = "or choose provider: openssl"
_import_lock = threading.Lock()

_Result = TypeVar("_Result")


@functools.cache
def load_liboqs() -> Any:
    """Return the module `oqs`. Raises ProviderUnavailable; never builds, prints or exits."""
    wrapper_version = _wrapper_version()
    path, native = _open_native()
    _check_versions(_native_version(path, native), wrapper_version)
    with _import_lock, _guarded_import(path):
        try:
            return importlib.import_module("oqs")
        # SystemExit too: it is how liboqs-python gives up, and it must not end a server.
        except (Exception, SystemExit) as error:
            raise ProviderUnavailable(
                f"liboqs-python does not import ({type(error).__name__}: {error}); "
                f"set {INSTALL_PATH} to the prefix of liboqs, {_OTHERWISE}"
            ) from None


def isolated(call: Callable[..., _Result], *arguments: bytes | str) -> _Result:
    """Call the library, and let no frame of it survive in an error.

    Those frames hold secret keys, and objects already freed: whatever prints the local variables
    of a traceback calls their `__repr__`, which reads freed memory and takes the process down.
    """
    try:
        return call(*arguments)
    except Exception as error:
        failure = type(error).__name__
    # Outside the handler, so that the new error is not chained to the old one.
    raise CryptoError(f"liboqs failed ({failure})")


def liboqs_version() -> str | None:
    """Return the version of the native library, or None where there is none."""
    try:
        return _native_version(*_open_native())
    except ProviderUnavailable:
        return None


def native_directories() -> tuple[Path, ...]:
    """Where the native library is looked for, best first."""
    if chosen := os.environ.get(INSTALL_PATH):
        # Who names a place wants that library and no other.
        return Path(chosen, "lib"), Path(chosen, "lib64")
    # Where liboqs-python puts what it builds. Not Path.home(), which raises for a user without.
    home = Path(os.path.expanduser("~"), "_oqs")
    system = [Path("/usr/local/lib"), Path("/usr/local/lib64"), Path("/usr/lib64")]
    if multiarch := sysconfig.get_config_var("MULTIARCH"):
        system.append(Path("/usr/lib", multiarch))
    return home / "lib", home / "lib64", *system, Path("/usr/lib")


def _find_native() -> Path:
    for directory in native_directories():
        # Distributions put the plain name into their development package only.
        versioned = sorted(directory.glob("liboqs.so.*"), reverse=True)
        for candidate in (directory / "liboqs.so", *versioned):
            if candidate.is_file():
                return candidate
    looked = ", ".join(map(str, native_directories()))
    raise ProviderUnavailable(
        f"no native liboqs library in {looked}; install liboqs (a shared build) and set "
        f"{INSTALL_PATH} to its prefix, {_OTHERWISE}"
    )


def _open_native() -> tuple[Path, ctypes.CDLL]:
    path = _find_native()
    try:
        return path, ctypes.CDLL(str(path))
    except OSError as error:
        raise ProviderUnavailable(
            f"{path} cannot be loaded ({error}); install it again, {_OTHERWISE}"
        ) from None


def _native_version(path: Path, native: ctypes.CDLL) -> str:
    try:
        version = native.OQS_version
    except AttributeError:
        raise ProviderUnavailable(
            f"{path} is not liboqs: it has no OQS_version; set {INSTALL_PATH}, {_OTHERWISE}"
        ) from None
    version.restype = ctypes.c_char_p
    text: bytes = version()
    return text.decode("ascii", "replace")


def _wrapper_version() -> str:
    # Here, because it costs 1.5 MB that a worker without liboqs need not hold.
    from importlib import metadata

    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise ProviderUnavailable(
            f"{_DISTRIBUTION} is not installed; pip install 'pqproxy[liboqs]', {_OTHERWISE}"
        ) from None


def _check_versions(native: str, wrapper: str) -> None:
    # liboqs-python declares the C structs of its own release; another release's may differ, and
    # then it reads past their end. It only warns.
    if native.split(".")[:2] != wrapper.split(".")[:2]:
        raise ProviderUnavailable(
            f"liboqs {native} does not fit liboqs-python {wrapper}; "
            f"install the same minor version of both, {_OTHERWISE}"
        )


@contextlib.contextmanager
def _guarded_import(path: Path) -> Iterator[None]:
    """Let `import oqs` find this library, and nothing else happen."""
    search = ctypes.util.find_library  # runs ldconfig, gcc and ld

    def find_library(name: str) -> str | None:
        # The import asks for "oqs", then for "liboqs". Anybody else may go on searching.
        return str(path) if name == "oqs" else None if name == "liboqs" else search(name)

    logger = logging.getLogger("oqs.oqs")
    logger.disabled = True  # it logs a banner to standard output
    ctypes.util.find_library = find_library
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        ctypes.util.find_library = search
        logger.handlers.clear()
