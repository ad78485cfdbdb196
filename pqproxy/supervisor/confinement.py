"""What the supervisor may still change once it has bound its sockets.

It goes on reading what it likes and binding any port, since the next configuration may name other
files and other ports, and since it starts interpreters. Its workers give up far more
(`proxy/confinement.py`); they inherit this.
"""

import logging
import os
from pathlib import Path

from pqproxy.config.values import Address, Settings, UnixAddress
from pqproxy.landlock import PORTS_SINCE, Confinement, confine

logger = logging.getLogger(__name__)


def supervisor_confinement(settings: Settings) -> Confinement:
    """Make what these settings need: nothing is written but unix sockets and the key log."""
    listens: list[Address | None] = [settings.control, settings.health]
    listens += [ingress.listen for ingress in settings.ingress]
    listens += [egress.listen for egress in settings.egress]
    directories = {str(Path(one.path).parent) for one in listens if isinstance(one, UnixAddress)}
    key_log = () if settings.keylog is None else (settings.keylog,)
    return Confinement(writable=(os.devnull, *key_log), sockets=tuple(sorted(directories)))


def confine_supervisor(settings: Settings) -> None:
    """Confine this process and its workers to come, and say in one line how far that went."""
    if not settings.landlock:
        logger.info("not confined by Landlock: the configuration turns it off")
        return
    try:
        abi = confine(supervisor_confinement(settings))
    except OSError as error:
        logger.warning("not confined by Landlock: the kernel refuses it: %s", error)
        return
    if abi == 0:
        logger.info("not confined by Landlock: this kernel has none, or runs without it")
    elif abi < PORTS_SINCE:
        logger.info("confined by Landlock (ABI %d): files, not ports, which need Linux 6.7", abi)
    else:
        logger.info("confined by Landlock (ABI %d): files and ports", abi)
