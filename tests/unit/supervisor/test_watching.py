import asyncio
import contextlib
import dataclasses
import functools
import itertools
import logging
import os

import pytest
from watchfiles import awatch

from pqproxy.supervisor.fingerprint import fingerprint
from pqproxy.supervisor.reloading import Kind, Outcome
from pqproxy.supervisor.watching import Pauses, Watcher
from tests.unit.supervisor.harness import settings, soon
from tests.unit.supervisor.stubs import StubCrew

NEVER = Pauses(calm=1000.0, deaf=1000.0, refused=(1000.0,))


class Crew(StubCrew):
    async def wait_ready(self):
        pass


class Reloader:
    """Takes whatever is in the files, unless it is told to refuse."""

    def __init__(self, file):
        self._file = file
        self.reread = asyncio.Event()
        self.problems = ()
        self.taken = []  # what the file held, each time

    async def renew(self):
        self.taken.append(self._file.read_text() if self._file.exists() else None)
        return Outcome(Kind.FILES, 0.0, problems=self.problems)


async def silent(*directories, **how):
    """What a network filesystem tells of changes that others make."""
    await asyncio.Event().wait()
    yield


async def refused(*directories, **how):
    raise OSError(24, "inotify instances are used up")
    yield


def in_a_loop(test):
    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tls.crt"
    path.write_text("first")
    return path


@contextlib.asynccontextmanager
async def watching(file, notices=awatch, pauses=NEVER, files=None):
    """A reloader whose watcher runs, and has had its first look."""
    crew = Crew(dataclasses.replace(settings(), files=(str(file),) if files is None else files))
    reloader = Reloader(file)
    task = asyncio.ensure_future(Watcher(reloader, crew, notices, pauses).run())
    try:
        if files is None:
            await soon(lambda: reloader.taken)
        yield reloader, crew
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@in_a_loop
async def test_what_was_renewed_while_we_started_is_taken(file):
    """Between the reading of the configuration and the first look is time enough."""
    async with watching(file) as (reloader, _):
        assert reloader.taken == ["first"]


@in_a_loop
async def test_a_file_that_is_written_anew_is_taken_at_once(file):
    async with watching(file) as (reloader, _):
        file.write_text("second")
        await soon(lambda: reloader.taken == ["first", "second"])


@in_a_loop
async def test_a_file_that_is_renamed_into_place_is_taken_at_once(file):
    async with watching(file) as (reloader, _):
        for content in ("second", "third"):
            beside = file.with_suffix(".new")
            beside.write_text(content)
            beside.rename(file)
            await soon(lambda content=content: reloader.taken[-1] == content)


@in_a_loop
async def test_a_file_that_comes_back_is_taken(file):
    async with watching(file) as (reloader, _):
        file.unlink()
        await soon(lambda: reloader.taken[-1] is None)
        file.write_text("second")
        await soon(lambda: reloader.taken[-1] == "second")


@in_a_loop
async def test_a_directory_that_is_replaced_as_a_whole_is_watched_again(tmp_path):
    """The watch of the old one went with it."""
    file = tmp_path / "certificates" / "tls.crt"
    file.parent.mkdir()
    file.write_text("first")
    async with watching(file, pauses=Pauses(calm=1000.0, refused=(0.01,))) as (reloader, _):
        for content in ("second", "third"):
            beside = tmp_path / "beside"
            beside.mkdir()
            (beside / "tls.crt").write_text(content)
            file.unlink()
            file.parent.rmdir()
            beside.rename(file.parent)
            await soon(lambda content=content: reloader.taken[-1] == content)


@in_a_loop
async def test_files_that_are_being_written_are_read_when_the_last_one_was(file, monkeypatch):
    """Even where no event tells that somebody is at it: half a set would be refused, aloud."""
    digests = [b"key", b"key, certificate", b"all", b"all"]
    monkeypatch.setattr(
        "pqproxy.supervisor.watching.fingerprint",
        lambda files: digests.pop(0) if digests else b"all",
    )
    async with watching(file, silent, Pauses(calm=0.01, rest=0.001)) as (reloader, _):
        assert digests == []
        await asyncio.sleep(0.1)

        assert reloader.taken == ["first"]


@in_a_loop
async def test_files_that_never_rest_are_read_all_the_same(file, monkeypatch):
    numbers = itertools.count()
    monkeypatch.setattr(
        "pqproxy.supervisor.watching.fingerprint", lambda files: b"%d" % next(numbers)
    )
    async with watching(file, silent, Pauses(calm=0.01, rest=0.001)) as (reloader, _):
        await soon(lambda: len(reloader.taken) > 2)


@in_a_loop
async def test_events_without_another_content_reload_nothing(file):
    async with watching(file) as (reloader, _):
        file.write_text("first")
        file.with_suffix(".other").write_text("whatever")
        await asyncio.sleep(0.6)
        file.write_text("second")
        await soon(lambda: len(reloader.taken) > 1)

        assert reloader.taken == ["first", "second"]


@in_a_loop
async def test_without_events_files_are_read_now_and_then(file):
    """On a network filesystem nobody tells us what other machines write."""
    async with watching(file, silent, Pauses(calm=0.02)) as (reloader, _):
        await asyncio.sleep(0.1)
        assert reloader.taken == ["first"]
        file.write_text("second")
        await soon(lambda: reloader.taken == ["first", "second"])


@in_a_loop
async def test_a_kernel_that_has_no_watches_left_is_named_once_and_files_are_read_oftener(
    file, caplog
):
    async with watching(file, refused, Pauses(calm=1000.0, deaf=0.02)) as (reloader, _):
        file.write_text("second")
        await soon(lambda: reloader.taken == ["first", "second"])
        await asyncio.sleep(0.1)

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "files are read every 0.02 s instead: [Errno 24] inotify" in caplog.text


@in_a_loop
async def test_what_is_refused_is_tried_again_without_an_event(file):
    """The other half may have come through a filesystem that tells of nothing."""
    pauses = Pauses(calm=1000.0, refused=(0.01, 0.02))
    async with watching(file, silent, pauses) as (reloader, _):
        reloader.problems = ("half",)
        reloader.reread.set()
        file.write_text("half")
        await soon(lambda: reloader.taken.count("half") > 3)
        reloader.problems = ()
        file.write_text("whole")
        await soon(lambda: reloader.taken[-1] == "whole")
        await asyncio.sleep(0.1)

        assert reloader.taken.count("whole") == 1


@in_a_loop
async def test_what_was_refused_and_is_again_as_it_was_is_asked_for_once_more(file):
    """So that somebody hears that the trouble is over."""
    async with watching(file, silent, Pauses(refused=(0.01,))) as (reloader, _):
        reloader.problems = ("half",)
        reloader.reread.set()
        file.write_text("half")
        await soon(lambda: "half" in reloader.taken)
        reloader.problems = ()
        file.write_text("first")
        await soon(lambda: reloader.taken[-1] == "first")


@in_a_loop
async def test_after_a_reload_other_files_are_watched(file, tmp_path):
    other = tmp_path / "elsewhere" / "tls.crt"
    other.parent.mkdir()
    other.write_text("other")
    async with watching(file) as (reloader, crew):
        reloader._file = other
        crew.in_force.replace(dataclasses.replace(settings(), files=(str(other),)))
        reloader.reread.set()
        await soon(lambda: reloader.taken[-1] == "other")
        other.write_text("renewed")
        await soon(lambda: reloader.taken[-1] == "renewed")


@in_a_loop
async def test_a_mistake_of_ours_is_told_and_ends_neither_the_run_nor_the_watching(
    file, caplog, monkeypatch
):
    """Whoever serves must not fall over his own certificates."""
    mistakes = [ValueError("embedded null byte")]

    def fail(files):
        if mistakes:
            raise mistakes.pop()
        return fingerprint(files)

    monkeypatch.setattr("pqproxy.supervisor.watching.fingerprint", fail)
    async with watching(file, silent, Pauses(calm=0.01)) as (reloader, _):
        assert reloader.taken == ["first"]

    assert "watching certificates failed inside pqproxy" in caplog.text


@in_a_loop
async def test_during_a_drain_nothing_is_renewed(file):
    async with watching(file) as (reloader, crew):
        crew.draining = True
        file.write_text("second")
        await asyncio.sleep(0.6)

        assert reloader.taken == ["first"]


@in_a_loop
async def test_what_can_be_read_only_once_is_said_and_left_alone(tmp_path, caplog):
    async with watching(tmp_path / "x", files=("/dev/null",)) as (reloader, _):
        await soon(lambda: "/dev/null can be read only once" in caplog.text)

        assert reloader.taken == []


@in_a_loop
async def test_a_pipe_in_the_place_of_a_file_blocks_nobody_and_a_file_there_is_taken(file, caplog):
    """Who opens it to read waits for a writer, and would keep every other reload waiting."""
    async with watching(file) as (reloader, _):
        file.unlink()
        os.mkfifo(file)
        await soon(lambda: "can be read only once" in caplog.text)
        file.unlink()
        file.write_text("second")
        await soon(lambda: reloader.taken[-1] == "second")

    assert caplog.text.count("can be read only once") == 1
