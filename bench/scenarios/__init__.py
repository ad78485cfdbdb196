"""All scenarios, in the order of their numbers."""

from bench.scenario import Scenario
from bench.scenarios.bulk import BULK
from bench.scenarios.connections import CONNECTIONS
from bench.scenarios.handshakes import HANDSHAKES
from bench.scenarios.idle import IDLE
from bench.scenarios.requests import REQUESTS
from bench.scenarios.streams import STREAMING

SCENARIOS: tuple[Scenario, ...] = (REQUESTS, CONNECTIONS, STREAMING, BULK, IDLE, HANDSHAKES)
