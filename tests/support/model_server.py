"""A real model server: llama.cpp with a generated model, in plaintext, in a process of its own."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path


class ModelServer:
    """Runs until `stop`."""

    def __init__(self, directory):
        with Path(directory, "llama.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pqproxy.demo.llama_server", str(directory)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.url = self.process.stdout.readline().strip()
        assert self.url, Path(directory, "llama.log").read_text(errors="replace")
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        self.address = host, int(port)
        self.forward = f"{host}:{port}"

    def busy_slots(self):
        """How many completions are under way."""
        return len(self._under_way())

    def generated(self):
        """How many tokens each completion that is under way has so far."""
        return [slot["next_token"][0]["n_decoded"] for slot in self._under_way()]

    def _under_way(self):
        with urllib.request.urlopen(f"{self.url}/slots", timeout=20) as answer:  # noqa: S310 - our own
            return [slot for slot in json.load(answer) if slot["is_processing"]]

    def kill(self):
        """As the kernel does when memory runs out."""
        self.process.kill()
        self.stop()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


def completion_request(prompt, max_tokens):
    """A streamed chat completion as the bytes of a request."""
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "stream": True,
        }
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: model.test\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def prompt_of(tokens):
    """A prompt of about so many tokens (a byte each), never seen before: nothing is cached."""
    return (os.urandom(tokens).hex())[:tokens]
