"""Peers that are programs of their own: started with one JSON argument, answering lines of JSON.

`tests/interop/node/peer.js` and `tests/interop/go/main.go` say what they do. Their stdin is a
pipe that they watch, so that they end with the test run however it ends.
"""

import fcntl
import json
import os
import queue
import subprocess
import threading
from pathlib import Path

from tests.support.peers import go_root

DEADLINE = 20  # seconds until a silent program is a failed test


class Program:
    """One running peer program."""

    def __init__(self, command, options):
        self._process = subprocess.Popen(
            [*command, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def report(self):
        """The next thing it says."""
        line = self._lines.get(timeout=DEADLINE)
        assert line is not None, f"the peer left without a word: {self._process.stderr.read()}"
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def options(role, *, groups, leaf=None, trust=None, directory=None, **more):
    """The argument of a peer program; certificates are written into `directory`."""
    wanted = {"role": role, "groups": list(groups), "alpn": [], "size": 0, **more}
    if leaf:
        certificate, key = leaf.write(directory)
        wanted |= {"certificate": str(certificate), "key": str(key)}
    if trust:
        wanted["ca"] = str(trust.write(directory))
    return wanted


# Inlining is most of what compiling Go's library takes, and no test is about its speed.
GO_BUILD = ("build", "-gcflags=all=-l", "-ldflags=-s -w")


def build_go(source, directory):
    """Compile a Go program; a second call finds everything in the cache of the first."""
    program = Path(directory, Path(source).name)
    root = Path(go_root())
    with Path(directory, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests in other processes: each would compile it all
        subprocess.run(
            [root / "bin" / "go", *GO_BUILD, "-o", program, "."],
            cwd=source,
            check=True,
            env=_go_environment(root, directory),
        )
    return program


def _go_environment(root, directory):
    """Offline, without a C compiler, and without anything of the user's own Go."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GOROOT": str(root),
        "GOPATH": str(Path(directory, "path")),
        "GOCACHE": str(Path(directory, "cache")),
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
