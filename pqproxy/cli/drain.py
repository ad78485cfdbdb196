"""`pqproxy drain`: ends a running pqproxy, but no stream that ends in time by itself."""

import argparse
import contextlib
import threading
from concurrent.futures import Future
from typing import Any

from pqproxy.cli.control_options import add_control_options, control_address, control_client
from pqproxy.control.client import ControlClient, ControlError
from pqproxy.control.summary import drain_line

EXIT_FORCED = 4
_FIRST_LOOK, _LOOK = 0.2, 1.0  # seconds


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "drain",
        help="end a running pqproxy without cutting streams",
        description="Have a running pqproxy be not ready but accept for drain.delay, then accept "
        "no more, let open connections finish for drain.timeout, reset the rest and exit. A "
        "signal to it ends the delay, a second one the waiting.",
    )
    add_control_options(parser)
    parser.add_argument(
        "--wait",
        action="store_true",
        help="show how far it is until it is over; exit code 4 when connections were reset",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Begin the drain; with `--wait` see its end. Raises CommandError when nobody answers."""
    with control_client(arguments) as client:
        if not arguments.wait:
            print(drain_line(client.post("/drain")))
            return 0
        outcome = _watch(_ask_for_the_end(arguments), client)
    print(drain_line(outcome))
    return EXIT_FORCED if outcome["reset"] else 0


def _ask_for_the_end(arguments: argparse.Namespace) -> "Future[dict[str, Any]]":
    """Begin the drain in a thread that keeps nobody from leaving, and waits for how it went."""
    patient = ControlClient(control_address(arguments), patience=None)
    answer: Future[dict[str, Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(patient.post("/drain", {"wait": True}))
        except ControlError as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return answer


def _watch(answer: "Future[dict[str, Any]]", client: ControlClient) -> dict[str, Any]:
    """Show how far it is until the answer is there. Raises ControlError."""
    shown, pause = "", _FIRST_LOOK
    while True:
        with contextlib.suppress(TimeoutError):
            return answer.result(pause)
        pause = _LOOK
        with contextlib.suppress(ControlError):  # it is about to end: then there is an answer
            progress = client.get("/status").get("drain")
            if progress is not None and (line := drain_line(progress)) != shown:
                print(line, flush=True)
                shown = line
