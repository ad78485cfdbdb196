"""All scenarios, in the order of their numbers."""

from bench.scenario import Scenario
from bench.scenarios.bulk import BULK
from bench.scenarios.connections import CONNECTIONS
from bench.scenarios.handshakes import HANDSHAKES
from bench.scenarios.idle import IDLE
from bench.scenarios.mixed import MIXED
from bench.scenarios.requests import REQUESTS
from bench.scenarios.streams import STREAMING
from bench.scenarios.workers import WORKER_COUNTS

SCENARIOS: tuple[Scenario, ...] = (
    REQUESTS,
    CONNECTIONS,
    STREAMING,
    BULK,
    MIXED,
    IDLE,
    HANDSHAKES,
    WORKER_COUNTS,
)
