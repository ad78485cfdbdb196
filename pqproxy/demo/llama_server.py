"""A process that is an unchanged plaintext model server: llama.cpp with a generated model.

`python -m pqproxy.demo.llama_server DIRECTORY` writes the model into the directory, listens on a
free loopback port and prints its address as the only line on stdout.
"""

import signal
import sys
from pathlib import Path

from xllamacpp import CommonParams, Server

from pqproxy.demo.model import CONTEXT, write_model

SLOTS = 4


def start(model: Path) -> Server:
    """Serve `model` on a free loopback port until the returned object is dropped."""
    parameters = CommonParams()
    parameters.model.path = str(model)
    parameters.model_alias = {model.stem}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = SLOTS
    parameters.cpuparams.n_threads = 1  # more threads spin, and the machine has others to serve
    parameters.endpoint_slots = True
    parameters.endpoint_metrics = True
    return Server(parameters)


def main() -> None:
    """Serve until a signal ends the process."""
    model = Path(sys.argv[1]) / "demo.gguf"
    write_model(model)
    server = start(model)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
