"""The demo, from an empty machine to a hint what to try next."""

import asyncio
import io
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from pqproxy.demo import report
from pqproxy.demo.client import Completion, Prompt, first_model, new_session, stream_completion
from pqproxy.demo.measure import compare
from pqproxy.demo.processes import Children
from pqproxy.demo.sidecars import Pair, start_pair
from pqproxy.demo.terminal import harmless

# A byte is a token of the generated model, and as many as these make it about as slow as a large
# one: see model.py.
_QUESTION = (
    "Somebody records the traffic of our model server today, and waits for a quantum computer. "
    "Explain to a colleague who has never heard of lattices why a key exchange that joins a curve "
    "with ML-KEM helps already now, what it costs, and why nothing in the server or in its "
    "clients has to change. Three sentences are enough."
)
_SHORT_QUESTION = "Why now?"
_TOKENS = 120
_PATIENCE = 20.0  # seconds, with what should take a fraction of one
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A plaintext model server on this machine."""

    url: str
    description: str


def run_demo(upstream: str | None) -> int:
    """Run the demo; return the exit code.

    `upstream` is the address `host:port` of a plaintext model server on this machine, or None
    for one of the demo's own. Raises ChildFailed and CompletionError.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may lack what a model says
    try:
        asyncio.run(until_signal(_demo(upstream)))
    except asyncio.CancelledError:
        print("\nstopped: no process and no file is left")
        return 130
    return 0


async def until_signal(demo: Coroutine[None, None, None]) -> None:
    """Run the demo; a signal cancels it once, and cleaning up is not disturbed by another."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(demo)
    for number in _SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    await task


async def _demo(upstream: str | None) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pqproxy-demo-") as name,
        Children(Path(name)) as children,
    ):
        server = await start_model_server(children, Path(name), upstream)
        async with new_session() as session:
            model = await first_model(session, server.url)
        address = server.url.removeprefix("http://")
        now = datetime.fromtimestamp(time.time(), UTC)
        pair = await start_pair(children, Path(name), address, now)
        _introduce(server, pair)
        prompt = Prompt(model, _QUESTION, _TOKENS)
        completion = await _stream(f"http://{pair.egress.address}", prompt)
        front = await pair.ingress.first_connection(_PATIENCE)
        beside = await pair.egress.first_connection(_PATIENCE)
        print(report.stream_summary(completion), "\n")
        print(report.protection_report(report.protection(front, beside)))
        await _report_cost(server, pair, model)
    print(report.NEXT)


async def start_model_server(
    children: Children, directory: Path, upstream: str | None
) -> ModelServer:
    """Start llama.cpp where its extra is installed, else a token server; or take `upstream`."""
    if upstream is not None:
        return ModelServer(f"http://{upstream}", "yours")
    if find_spec("xllamacpp") and find_spec("gguf"):
        arguments = ["-P", "-m", "pqproxy.demo.llama_server", str(directory)]
        description = "llama.cpp, unchanged; the weights of its model are random: expect gibberish"
    else:
        arguments = ["-P", "-m", "pqproxy.demo.token_server"]
        description = (
            "a small embedded token server, no model\n"
            "                (for llama.cpp: pip install 'pqproxy[demo]')"
        )
    child = children.start("model-server", arguments)
    return ModelServer(await child.first_line(patience=_PATIENCE), description)


def _introduce(server: ModelServer, pair: Pair) -> None:
    print(report.PICTURE)
    print(f"  model server  {server.description}")
    print(f"                {server.url}, plaintext")
    print(f"  sidecars      {pair.ingress.address} in front of it")
    print(f"                {pair.egress.address} beside the client")
    print(f"\n{textwrap.fill(_QUESTION, 100)}\n")


async def _stream(url: str, prompt: Prompt) -> Completion:
    # A session of its own: when it closes, the connection ends and the sidecars log it.
    async with new_session() as session:
        completion = await stream_completion(session, url, prompt, _show)
    print("\n")
    return completion


def _show(token: str) -> None:
    sys.stdout.write(harmless(token))
    sys.stdout.flush()


async def _report_cost(server: ModelServer, pair: Pair, model: str) -> None:
    prompt = Prompt(model, _SHORT_QUESTION, max_tokens=1)
    sidecar = f"http://{pair.egress.address}"
    new = await compare(server.url, sidecar, prompt, open_connection=False)
    kept = await compare(server.url, sidecar, prompt, open_connection=True)
    print(report.cost_report(new, kept))
