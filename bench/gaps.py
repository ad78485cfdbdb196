"""Watches token streams when it is asked to: `python -m bench.gaps PORT COUNT INTERVAL_MS`.

Answers each line on stdin, a number of seconds, with a JSON line: the gaps between tokens of that
time in milliseconds, over all streams.
"""

import json
import sys
from dataclasses import asdict

from bench.results import Gaps
from bench.streams import Streams

CATCH_UP = 0.5  # seconds for what queued up since the time before


def main() -> None:
    port, count, interval_ms = map(int, sys.argv[1:])
    streams = Streams(port, count)
    streams.hurry(interval_ms)
    print("ready", flush=True)
    for line in sys.stdin:
        streams.watch(CATCH_UP)
        print(json.dumps(asdict(Gaps.of(streams.watch(float(line))))), flush=True)


if __name__ == "__main__":
    main()
