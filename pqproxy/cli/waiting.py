"""`wait_for_files`: a start that waits for certificates, keys and roots which somebody else writes.

An init container, cert-manager or spiffe-helper may be later than we are, and may be caught in the
middle of writing. So for that time a file that does not parse, or does not go with another one, is
as good as not there yet. What is wrong with the configuration itself is said at once.

Until they came nothing is bound: who connects is refused, and so is a probe. SIGTERM and Ctrl-C end
the waiting; SIGHUP, unless a closed terminal sent it, makes it look at once.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pqproxy.cli.loading import load_config
from pqproxy.cli.machine import require_linux
from pqproxy.config.parse import Parsed
from pqproxy.config.problems import BROKEN, dotted
from pqproxy.supervisor.notify import Notifier
from pqproxy.telemetry import log

logger = logging.getLogger(__name__)

_INTERVAL = 0.5  # seconds between two looks, each of which may cost 0.2 s for an encrypted key
_MARGIN = 30.0  # seconds for the rest of the start, which a service manager is told with the wait
_LEAVE = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = (*_LEAVE, signal.SIGHUP)


class Told(Exception):
    """A signal ended the waiting."""


def load_when_there(path: Path, clock: Callable[[], float] = time.monotonic) -> Parsed:
    """Read a configuration, if need be several times, for as long as it says.

    Problems are in what is returned, those of files too once the time is over. Raises Told.
    """
    parsed = load_config(path)
    patience = _patience(parsed)
    if not patience or not parsed.lacks_files_only:
        return parsed
    require_linux()
    log.configure(parsed.file.log.format, parsed.file.log.connections)
    began = clock()
    _tell(parsed, patience)
    with _pending_signals():
        while parsed.lacks_files_only and (left := began + patience - clock()) > 0:
            _pause(min(left, _INTERVAL))
            parsed = load_config(path, parsed.text)
    if not parsed.problems:
        logger.info("the files came after %.1f s", clock() - began)
    return parsed


def _patience(parsed: Parsed) -> float:
    if parsed.file is BROKEN or parsed.file.wait_for_files in (BROKEN, None):
        return 0.0
    return float(parsed.file.wait_for_files or 0.0)


def _tell(parsed: Parsed, patience: float) -> None:
    lacking = "; ".join(f"{dotted(one.path)}: {one.message}" for one in parsed.problems)
    logger.warning("waiting up to %g s for files (wait_for_files): %s", patience, lacking)
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET"))
    notifier.starting("waiting for files", patience + _MARGIN)


@contextmanager
def _pending_signals() -> Iterator[None]:
    """Let signals wait for `_pause`: PID 1 of a container would never see one without a handler."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pause(seconds: float) -> None:
    """Wait, at most so long. Raises Told."""
    found = signal.sigtimedwait(_SIGNALS, seconds)
    if found is None:
        return
    if found.si_signo in _LEAVE or log.stderr_is_terminal():
        logger.info("told to leave while waiting for files")
        raise Told
