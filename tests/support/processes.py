"""What /proc tells of the processes under test: their family, memory and sockets."""

import contextlib
from pathlib import Path

CLOSE_WAIT = "08"
LISTEN = "0A"


def family(pid):
    """A process and all its descendants."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            children += map(int, task.read_text().split())
    return [pid, *(descendant for child in children for descendant in family(child))]


def exists(pid):
    """Whether a process runs; a zombie that waits for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def resident(pid):
    """Bytes of memory that a process has in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)


def processor_seconds(pid):
    """CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def tcp_sockets(pids, state):
    """The addresses (as the kernel prints them) of these processes' TCP sockets in a state."""
    owned = {inode for pid in pids for inode in _socket_inodes(pid)}
    found = []
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/net/{table}")
        if not path.exists():
            continue
        for line in path.read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == state and columns[9] in owned:
                found.append((columns[1], columns[2]))
    return found


def _socket_inodes(pid):
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(link.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
