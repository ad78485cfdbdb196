"""How much later the first token comes through the pair than without it."""

from dataclasses import dataclass, replace
from statistics import median

from pqproxy.demo.client import Prompt, first_model, new_session, stream_completion

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
    direct_url: str, sidecar_url: str, prompt: Prompt, *, open_connection: bool
) -> Comparison:
    """Ask for one token in turn on both ways, each time on a connection new or already open."""
    prompt = replace(prompt, max_tokens=1)
    direct, through = [], []
    for attempt in range(-1, TRIES):
        first = await _time_to_first_token(direct_url, prompt, open_connection)
        second = await _time_to_first_token(sidecar_url, prompt, open_connection)
        if attempt >= 0:  # the first try only warms caches
            direct.append(first)
            through.append(second)
    return Comparison(tuple(direct), tuple(through))


async def _time_to_first_token(url: str, prompt: Prompt, open_connection: bool) -> float:
    # Not more than one completion on a connection: llama.cpp closes it after a streamed answer.
    async with new_session() as session:
        if open_connection:
            await first_model(session, url)
        return (await stream_completion(session, url, prompt)).first_token
