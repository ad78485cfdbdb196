"""Asks a running pqproxy, over its `control` listener, what it does and to do something.

HTTP over a unix socket or loopback, one connection a request, answers in JSON. Knows nothing of
what is asked: paths and their meaning are said by the commands. A health check starts this every
few seconds, so nothing large may be imported here.
"""

import http.client
import json
import socket
from typing import Any

from pqproxy.config.values import Address, TcpAddress, UnixAddress

DEFAULT_ADDRESS = UnixAddress("/run/pqproxy/control.sock")
PATIENCE = 5.0  # seconds for an answer; a supervisor answers within milliseconds
_MOST = 32 * 1024 * 1024  # bytes of an answer: far above what the largest of ours has


class ControlError(Exception):
    """Nothing was learnt or done. `hint` says what to do about it, where that is known."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ControlRefused(ControlError):
    """pqproxy answered, and would not. `status` is that of HTTP, `answer` the JSON or text."""

    def __init__(
        self, status: int, message: str, hint: str | None = None, answer: object = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.answer = answer


class ControlClient:
    """One running pqproxy, by the address of its control listener."""

    def __init__(
        self, address: Address = DEFAULT_ADDRESS, patience: float | None = PATIENCE
    ) -> None:
        self.address = address
        self._patience = patience

    def get(self, path: str) -> Any:
        """Ask. Returns the JSON of the answer; raises ControlError."""
        return self.request("GET", path)

    def post(self, path: str, document: object = None) -> Any:
        """Tell to do something. Returns the JSON of the answer; raises ControlError."""
        return self.request("POST", path, document)

    def request(self, method: str, path: str, document: object = None) -> Any:
        """Send one request. Returns the JSON of the answer; raises ControlError."""
        status, body = self._exchange(method, path, document)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = body.decode(errors="replace").strip()
            if status < 400:
                raise self._stranger() from None
        if status >= 400:
            raise _refusal(status, answer)
        return answer

    def _exchange(self, method: str, path: str, document: object) -> tuple[int, bytes]:
        connection = _Connection(self.address, self._patience)
        body = None if document is None else json.dumps(document).encode()
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read(_MOST + 1)
        except http.client.HTTPException:
            raise self._stranger() from None
        except OSError as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()
        if len(content) > _MOST:
            raise self._stranger()
        return answer.status, content

    def _stranger(self) -> ControlError:
        return ControlError(
            f"what listens at {self.address} is not the control listener of pqproxy",
            "control: {listen: …} in the configuration says where that is",
        )

    def _unreachable(self, error: OSError) -> ControlError:
        if isinstance(error, TimeoutError):
            return ControlError(
                f"no answer from {self.address} within {self._patience:g} s",
                "pqproxy hangs or is being stopped: its log says more",
            )
        if isinstance(error, PermissionError):
            return ControlError(
                f"no permission to open {self.address}",
                "ask as the user that pqproxy runs as, or as root",
            )
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return ControlError(
                f"nothing answers at {self.address}",
                "is pqproxy running, and with control: {listen: …} in its configuration? "
                "-c FILE or --control ADDR says where to ask",
            )
        return ControlError(f"{self.address} cannot be asked: {error.strerror or error}")


class _Connection(http.client.HTTPConnection):
    """http.client's, over a unix socket too.

    The Host header names this machine whatever the address: the listener refuses other names.
    """

    def __init__(self, address: Address, patience: float | None) -> None:
        super().__init__("localhost", timeout=patience)
        self._address = address

    def connect(self) -> None:
        if isinstance(self._address, TcpAddress):
            where = (self._address.host, self._address.port)
            self.sock = socket.create_connection(where, self.timeout)
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self._address.path)
        except OSError:
            sock.close()
            raise
        self.sock = sock


def _refusal(status: int, answer: object) -> ControlRefused:
    """Errors come as `{"error": …, "hint": …}`, or as a line of text."""
    if isinstance(answer, dict):
        hint = answer.get("hint")
        message = str(answer.get("error", f"refused with {status}"))
        return ControlRefused(status, message, None if hint is None else str(hint), answer)
    if status == http.client.NOT_FOUND or status == http.client.METHOD_NOT_ALLOWED:
        return ControlRefused(
            status,
            "the running pqproxy does not know this request",
            "it is of another version than this command: pqproxy status shows which",
        )
    return ControlRefused(status, str(answer) or f"refused with {status}")
