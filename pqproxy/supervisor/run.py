"""One run of pqproxy, from checked settings to an exit code.

    bind -> start workers -> say that we are ready -> drain -> exit

A service manager that asks for it hears of each step (`notify.py`).

The first SIGTERM or SIGINT drains without a delay, the second cuts what is still open; the control
and the health listener can begin a drain too (`drain.py`). SIGHUP reloads, unless it is what a
closed terminal has left behind: then it drains.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable

from pqproxy import collector
from pqproxy.config.environment import policy_warnings
from pqproxy.config.values import Egress, Ingress
from pqproxy.hardening import harden
from pqproxy.supervisor.activation import Activation
from pqproxy.supervisor.binding import Bound, bind_all, shown_address
from pqproxy.supervisor.confinement import confine_supervisor
from pqproxy.supervisor.control import Report, control_server
from pqproxy.supervisor.crew import Crew, Drained
from pqproxy.supervisor.drain import Drain
from pqproxy.supervisor.errors import StartFailure
from pqproxy.supervisor.health import health_server, why_unhealthy
from pqproxy.supervisor.in_force import InForce
from pqproxy.supervisor.loop import loop_factory
from pqproxy.supervisor.metrics import Exposition
from pqproxy.supervisor.mounts import FROZEN_HINT, frozen_warning, mounted_alone
from pqproxy.supervisor.notify import Notifier
from pqproxy.supervisor.reading import Reading, Readings, Reread
from pqproxy.supervisor.reloading import Reloader
from pqproxy.supervisor.watching import Watcher
from pqproxy.supervisor.worker import WORKER_MODULE
from pqproxy.telemetry import log

logger = logging.getLogger(__name__)

_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

EXIT_GOOD = 0
EXIT_FAILURE = 1
EXIT_FORCED = 4


def run(reading: Reading, reread: Reread, worker_module: str = WORKER_MODULE) -> int:
    """Serve until a signal; return the exit code. What was read has been checked.

    `reread` reads anew, for a reload.
    """
    settings = reading.settings
    harden()
    _fill_standard_descriptors()
    _allow_descriptors()
    log.configure(settings.log.format, settings.log.connections)
    code = EXIT_FAILURE
    try:
        notifier = Notifier.from_environment(os.environ)
        with bind_all(settings, Activation.from_environment(os.environ)) as bound:
            confine_supervisor(settings)
            crew = Crew(InForce(settings), bound, module=worker_module)
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                code = runner.run(_serve(crew, bound, Readings(reading, reread), notifier))
                # The loop gives them back as it ends, and whoever asks now asks for what is done.
                loop = runner.get_loop()
                for number in _HEARD:
                    loop.remove_signal_handler(number)
                    signal.signal(number, signal.SIG_IGN)
    except* StartFailure as failures:
        _complain(failures)
    return code


def _fill_standard_descriptors() -> None:
    """Started with a closed stderr, the next socket would be descriptor 2, and get the log."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)  # workers log too
    os.close(descriptor)


def _allow_descriptors() -> None:
    """Take what the hard limit allows: the soft one is for programs that still call select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # then accepting says so when it runs out
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(crew: Crew, bound: Bound, readings: Readings, notifier: Notifier) -> int:
    drain = Drain(crew)
    on_signal = _leave(crew, drain)
    reloader = Reloader(crew, bound, readings, notifier)
    watcher = Watcher(reloader, crew)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    # Of a terminal it means that the terminal is gone, of anybody else: reload.
    on_hangup = on_signal if log.stderr_is_terminal() else reloader.signal
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    async with _admin(crew, bound, reloader, drain), asyncio.TaskGroup() as tasks:
        tasks.create_task(crew.run())
        announcement = tasks.create_task(_announce(crew, bound, reloader, notifier))
        signals = tasks.create_task(reloader.follow_signals())
        renewals = tasks.create_task(watcher.run())
        reminders = tasks.create_task(reloader.reminders.repeat())
        with notifier.watched(lambda: why_unhealthy(crew) is None):
            await drain.accepting_ends()
            announcement.cancel()
            notifier.stopping(f"draining {crew.active} connections")
            try:
                return _farewell(await drain.finish())
            finally:
                signals.cancel()  # until then a reload is refused aloud
                renewals.cancel()
                reminders.cancel()


def _leave(crew: Crew, drain: Drain) -> Callable[[], None]:
    """What a signal does: the first one ends the accepting, the second one everything."""
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            crew.cut()
        drain.begin(0.0)

    return on_signal


@contextlib.asynccontextmanager
async def _admin(crew: Crew, bound: Bound, reloader: Reloader, drain: Drain) -> AsyncIterator[None]:
    """Serve health and control, from before the first worker is ready until after the last."""
    report = Report(crew, bound, reloader.history, drain, started=time.monotonic())
    health = health_server(crew, Exposition(crew, reloader.history), drain)
    control = control_server(report, reloader)
    await health.start(bound.health)
    await control.start(bound.control)
    try:
        yield
    finally:
        await health.close()
        await control.close()


async def _announce(crew: Crew, bound: Bound, reloader: Reloader, notifier: Notifier) -> None:
    await crew.wait_ready()
    settings = crew.in_force.settings
    for ingress in settings.ingress:
        _announce_listener("ingress", ingress, str(ingress.forward), bound)
    for egress in settings.egress:
        _announce_listener("egress", egress, ", ".join(map(str, egress.connect)), bound)
    for title, sockets in (("health", bound.health), ("control", bound.control)):
        for one in sockets:
            logger.info("%s at %s", title, shown_address(one))
    for warning in policy_warnings(settings):
        logger.warning("%s", warning)
    reloader.reminders.tell()
    for file in mounted_alone(settings.files):
        logger.warning("%s: %s", frozen_warning(file), FROZEN_HINT)
    collector.settle()
    logger.info("pqproxy is ready")
    notifier.ready(f"serving {', '.join(settings.roles)}")


def _announce_listener(role: str, listener: Ingress | Egress, target: str, bound: Bound) -> None:
    logger.info(
        "%s %s at %s to %s, policy %s, authentication %s, identities %s",
        role,
        listener.name,
        ", ".join(bound.addresses(listener.name)),
        target,
        listener.policy,
        listener.authentication,
        ", ".join(listener.identities) or "none",
    )


def _farewell(drained: Drained) -> int:
    if drained.reset:
        logger.warning("%s", drained)
        return EXIT_FORCED
    logger.info("%s", drained)
    return EXIT_GOOD


def _complain(failures: BaseExceptionGroup[StartFailure]) -> None:
    """Say on stderr, in the form of every error of the command line, what went wrong."""
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    lines = f"pqproxy: error: {failure}\n"
    if isinstance(failure, StartFailure) and failure.hint is not None:
        lines += f"hint: {failure.hint}\n"
    with contextlib.suppress(OSError):  # a closed stderr changes no exit code
        os.write(2, lines.encode(errors="backslashreplace"))
