"""An ordinary client of the OpenAI API: streams a completion and notes when each token came.

It speaks plain HTTP to whatever address it is given, a model server or a sidecar, and knows
nothing of TLS: that is the point.
"""

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from pqproxy.demo.terminal import harmless

# From the last byte that came. A model may be silent for minutes before its first token.
_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)


class CompletionError(Exception):
    """The server did not stream a completion; the message says what it did instead."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked for."""

    model: str
    text: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. Times are seconds since the request, connecting included, was begun."""

    arrivals: tuple[float, ...]  # of each token
    sent: int  # bytes of the request's body

    @property
    def first_token(self) -> float:
        """Seconds from the start to the first token."""
        return self.arrivals[0]


def new_session() -> aiohttp.ClientSession:
    """A session with one connection, which ends with it."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1), timeout=_PATIENCE)


async def first_model(session: aiohttp.ClientSession, base_url: str) -> str:
    """The name of the first model that the server lists.

    Raises CompletionError where there is none to be learnt.
    """
    try:
        async with session.get(f"{base_url}/v1/models") as response:
            await _refuse_errors(response)
            return str((await response.json())["data"][0]["id"])
    except (aiohttp.ClientError, OSError) as error:
        raise CompletionError(f"cannot reach {base_url}: {error}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise CompletionError(f"{base_url}/v1/models does not list models") from error


async def stream_completion(
    session: aiohttp.ClientSession,
    base_url: str,
    prompt: Prompt,
    on_token: Callable[[str], None] = lambda _: None,
) -> Completion:
    """Stream a chat completion, handing each token on when it comes. Raises CompletionError."""
    body = json.dumps(
        {
            "model": prompt.model,
            "messages": [{"role": "user", "content": prompt.text}],
            "max_tokens": prompt.max_tokens,
            "stream": True,
        }
    ).encode()
    headers = {"Content-Type": "application/json"}
    arrivals = []
    begun = time.perf_counter()
    try:
        async with session.post(
            f"{base_url}/v1/chat/completions", data=body, headers=headers
        ) as response:
            await _refuse_errors(response)
            async for token in _tokens(response.content):
                arrivals.append(time.perf_counter() - begun)
                on_token(token)
    except (aiohttp.ClientError, OSError) as error:
        raise CompletionError(
            f"the completion broke off: {error or type(error).__name__}"
        ) from error
    if not arrivals:
        raise CompletionError("the answer holds no tokens")
    return Completion(tuple(arrivals), len(body))


async def _refuse_errors(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        text = (await response.content.read(300)).decode(errors="replace").strip()
        raise CompletionError(f"{response.url} answered {response.status}: {harmless(text)}")


async def _tokens(content: aiohttp.StreamReader) -> AsyncIterator[str]:
    rest = b""
    async for chunk in content.iter_any():
        *events, rest = (rest + chunk).split(b"\n\n")
        for event in events:
            token = _token(event)
            if token:
                yield token


def _token(event: bytes) -> str:
    """The text in one server-sent event; empty where it carries none."""
    data = event.strip().removeprefix(b"data:").strip()
    if not data.startswith(b"{"):  # a comment that keeps the connection alive, or [DONE]
        return ""
    choices: list[dict[str, Any]] = json.loads(data).get("choices") or []
    delta = choices[0].get("delta") or {} if choices else {}
    return delta.get("content") or delta.get("reasoning_content") or ""
