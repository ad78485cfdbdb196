import asyncio
import socket

import pytest

from pqproxy.probing.sniffing import AT_A_TIME, sniff
from tests.support.loopback import Endpoint


def heard(*says, count=None, patience=10):
    """What a sniffer reports of callers who say something, one after the other, and read."""
    reports, answers = [], []

    async def run():
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        listener.setblocking(False)
        with listener:
            wanted = len(says) if count is None else count
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(sniff(listener, wanted, reports.append, patience))
                for said in says:
                    answers.append(await asyncio.to_thread(call, listener.getsockname(), said))
                if count == 0:
                    task.cancel()

    asyncio.run(run())
    return reports, answers


def call(address, said):
    with socket.create_connection(address, timeout=10) as sock:
        if said is None:
            return b""
        sock.sendall(said)
        answer = b""
        while data := sock.recv(4096):
            answer += data
        return answer


HELLO = Endpoint.client(server_name="llm.test").take()


def test_a_caller_is_told_and_refused_politely():
    (sniffed,), (answer,) = heard(HELLO)

    assert sniffed.greeting.is_post_quantum
    assert sniffed.program.name == "pqproxy"
    assert sniffed.advice == ""
    assert sniffed.peer.startswith("127.0.0.1:")
    assert answer == bytes.fromhex("15030300020228")  # handshake_failure


def test_plaintext_http_is_answered_in_http():
    (sniffed,), (answer,) = heard(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")

    assert sniffed.greeting.protocol == "plaintext HTTP"
    assert head.startswith(b"HTTP/1.1 400 ")
    assert f"content-length: {len(body)}".encode() in head


def test_who_says_nothing_is_reported_and_does_not_count():
    reports, _ = heard(None, HELLO, count=1)

    assert [r.said_something for r in reports] == [False, True]


def test_several_are_taken_and_no_more():
    reports, answers = heard(HELLO, b"SSH-2.0-x\r\n", HELLO)

    assert [r.greeting.protocol for r in reports] == ["TLS 1.3", "SSH", "TLS 1.3"]
    assert all(answers)


def test_zero_is_until_somebody_stops_it():
    assert len(heard(HELLO, HELLO, count=0)[0]) == 2


@pytest.mark.parametrize("kept", [HELLO[:100], b""], ids=["half", "nothing"])
def test_callers_that_wait_do_not_hold_up_the_next(kept):
    """As many as have a place at a time, but one."""
    reports = []

    async def run():
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        listener.setblocking(False)
        waiting = []
        try:
            task = asyncio.create_task(sniff(listener, 1, reports.append, 30))
            for _ in range(AT_A_TIME - 1):
                sock = socket.create_connection(listener.getsockname(), timeout=10)
                sock.sendall(kept)
                waiting.append(sock)
            await asyncio.to_thread(call, listener.getsockname(), HELLO)
            await task
        finally:
            for sock in (*waiting, listener):
                sock.close()

    asyncio.run(run())

    assert len(reports) == 1
    assert reports[0].greeting.is_post_quantum


def test_a_caller_has_its_patience_and_is_told_as_far_as_it_came():
    (sniffed,), _ = heard(HELLO[:100], patience=0.1)

    assert sniffed.greeting.protocol == "broken TLS"
    assert "never ended" in sniffed.greeting.reason
