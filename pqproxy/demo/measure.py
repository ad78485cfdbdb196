"""How much later the first token comes through the pair than without it."""

from dataclasses import dataclass, replace
from statistics import median

from pqproxy.demo.client import Prompt, new_session, stream_completion

TRIES = 9


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds to the first token; each pair of tries ran one after the other."""

    direct: tuple[float, ...]
    through: tuple[float, ...]

    @property
    def added(self) -> float:
        """The difference of the medians. Below zero, it is lost in the noise of the machine."""
        return median(self.through) - median(self.direct)


async def compare(
    direct_url: str, sidecar_url: str, prompt: Prompt, *, keep_connection: bool
) -> Comparison:
    """Ask for one token in turn on both ways, on a new connection each or on an open one."""
    prompt = replace(prompt, max_tokens=1)
    direct, through = [], []
    async with (
        new_session(keep_connection=keep_connection) as direct_session,
        new_session(keep_connection=keep_connection) as sidecar_session,
    ):
        for attempt in range(-1, TRIES):
            first = (await stream_completion(direct_session, direct_url, prompt)).first_token
            second = (await stream_completion(sidecar_session, sidecar_url, prompt)).first_token
            if attempt >= 0:  # the first try warms caches, and opens the connection to be kept
                direct.append(first)
                through.append(second)
    return Comparison(tuple(direct), tuple(through))
