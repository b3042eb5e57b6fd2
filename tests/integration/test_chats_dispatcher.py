"""The loops: chats are worked on when they are due, a few at a time, and nothing ends the loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from core.alarm import Outage
from core.chats import Collected, Lease, Taken
from core.collector import Collector
from core.dispatcher import Dispatcher
from tests.integration.chats_fixture import SECOND, Line, ManualClock, as_text, incoming, incoming_line, texts

PATIENCE = 10  # seconds of real time after which a test gives up


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[Line]:
    async with incoming_line(redis_url) as opened:
        yield opened


class Desk:
    """Work that a test watches and steers."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.begun: asyncio.Queue[Lease] = asyncio.Queue()
        self.done: asyncio.Queue[Lease] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()
        self.mishaps: deque[Exception] = deque()

    async def work(self, lease: Lease) -> None:
        self.begun.put_nowait(lease)
        await self.open.wait()
        if self.mishaps:
            raise self.mishaps.popleft()
        await self.line.ack_all(lease)
        self.done.put_nowait(lease)

    async def next_begun(self) -> Lease:
        return await asyncio.wait_for(self.begun.get(), PATIENCE)

    async def next_done(self) -> Lease:
        return await asyncio.wait_for(self.done.get(), PATIENCE)


@pytest.fixture
def desk(line: Line) -> Desk:
    return Desk(line)


@asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Let other tasks run until it holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0)


async def test_a_message_travels_from_the_source_to_the_work_when_its_silence_ends(
    line: Line, desk: Desk
) -> None:
    dispatcher = Dispatcher(line.chats, desk.work, clock=line.clock)
    collector = Collector(line.chats, clock=line.clock, notify=dispatcher.notify, wait=0.05)
    async with running(dispatcher.run, collector.run):
        await line.push(incoming("hello"))
        await until(lambda: _has_deadline(line))
        line.clock.move(20 * SECOND)
        assert texts(await desk.next_done()) == ["hello"]


async def _has_deadline(line: Line) -> bool:
    return await line.chats.next_due() is not None


async def test_a_deadline_that_another_process_made_is_found_by_the_sweep(line: Line, desk: Desk) -> None:
    async with running(Dispatcher(line.chats, desk.work, clock=line.clock, sweep=1).run):
        await asyncio.sleep(0)
        await line.arrive(incoming("hello"))
        for _ in range(22):
            line.clock.move(1 * SECOND)
            await line.redis.ping()
        assert texts(await desk.next_done()) == ["hello"]


async def test_no_more_chats_are_in_work_than_there_are_workers(line: Line, desk: Desk) -> None:
    await line.arrive(*(incoming("x", chat=f"c{i}") for i in range(7)))
    await line.pass_time(20 * SECOND)
    desk.open.clear()
    dispatcher = Dispatcher(line.chats, desk.work, clock=line.clock, workers=3)
    async with running(dispatcher.run):
        for _ in range(3):
            await desk.next_begun()
        dispatcher.notify(line.now)
        await line.redis.ping()
        assert (dispatcher.in_work, desk.begun.qsize()) == (3, 0)
        desk.open.set()
        members = {(await desk.next_done()).member for _ in range(7)}
    assert len(members) == 7


async def test_work_that_fails_is_logged_and_tried_again_later_and_later(line: Line, desk: Desk) -> None:
    desk.mishaps.extend([RuntimeError("one"), RuntimeError("two")])
    await line.arrive(incoming("hello"))
    await line.pass_time(20 * SECOND)
    with capture_logs() as logs:
        async with running(Dispatcher(line.chats, desk.work, clock=line.clock).run):
            for delay in (1, 2):
                await desk.next_begun()
                await until(lambda: _is_held(line))
                assert await line.chats.next_due() == line.now + delay * SECOND
                await line.pass_time(delay * SECOND)
            assert texts(await desk.next_done()) == ["hello"]
    failures = [entry["failures"] for entry in logs if entry["event"] == "chat_work_failed"]
    assert failures == [1, 2]
    assert all(entry.get("exc_info") for entry in logs if entry["event"] == "chat_work_failed")


async def _is_held(line: Line) -> bool:
    lock = await line.redis.get("lock:batch:avito:u2i-1")
    return lock is not None and as_text(lock).startswith("-")


async def test_stopping_lets_running_work_end(line: Line, desk: Desk) -> None:
    await line.arrive(incoming("hello"))
    await line.pass_time(20 * SECOND)
    desk.open.clear()
    dispatcher = Dispatcher(line.chats, desk.work, clock=line.clock)
    async with running(dispatcher.run) as (task,):
        await desk.next_begun()
        dispatcher.stop()
        desk.open.set()
        await asyncio.wait_for(task, PATIENCE)
    assert desk.done.qsize() == 1


async def test_stopping_waits_only_so_long_and_gives_the_chats_back(line: Line, desk: Desk) -> None:
    await line.arrive(incoming("hello"))
    await line.pass_time(20 * SECOND)
    desk.open.clear()
    dispatcher = Dispatcher(line.chats, desk.work, clock=line.clock, grace=0.01)
    async with running(dispatcher.run) as (task,):
        await desk.next_begun()
        dispatcher.stop()
        await asyncio.wait_for(task, PATIENCE)
    assert texts(await line.take_one()) == ["hello"]


async def test_a_cancelled_dispatcher_gives_its_chats_back(line: Line, desk: Desk) -> None:
    await line.arrive(incoming("hello"))
    await line.pass_time(20 * SECOND)
    desk.open.clear()
    async with running(Dispatcher(line.chats, desk.work, clock=line.clock).run):
        await desk.next_begun()
    assert texts(await line.take_one()) == ["hello"]


async def test_an_idle_dispatcher_stops_at_once(line: Line, desk: Desk) -> None:
    dispatcher = Dispatcher(line.chats, desk.work, clock=line.clock)
    async with running(dispatcher.run) as (task,):
        await asyncio.sleep(0)
        dispatcher.stop()
        await asyncio.wait_for(task, PATIENCE)


class Unsteady:
    """Chats whose Redis is away for the first `failures` calls."""

    def __init__(self, failures: list[Exception]) -> None:
        self._failures = failures
        self.answered = asyncio.Event()

    def _answer(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.answered.set()

    async def take(self, now: int, limit: int) -> Taken:
        self._answer()
        return Taken((), None)

    async def wait_source(self, timeout: float) -> bool:
        await asyncio.sleep(0)
        return False

    async def collect(self, now: int, limit: int = 500) -> Collected:
        self._answer()
        return Collected(0, None)


@pytest.mark.parametrize("loop", ["dispatcher", "collector"])
async def test_a_loop_outlives_an_outage_and_says_so_once(desk: Desk, loop: str) -> None:
    clock = ManualClock()
    chats = Unsteady([RedisConnectionError("away")] * 5)
    serve = {
        "dispatcher": Dispatcher(chats, desk.work, clock=clock).run,  # type: ignore[arg-type]  # a fake
        "collector": Collector(chats, clock=clock, notify=print).run,  # type: ignore[arg-type]  # a fake
    }[loop]
    with capture_logs() as logs:
        async with running(serve):
            async with asyncio.timeout(PATIENCE):
                while not chats.answered.is_set():
                    clock.move(100)
                    await asyncio.sleep(0)
            await asyncio.sleep(0)
    assert [entry["event"] for entry in logs] == ["redis_away", "loop_recovered"]


async def test_a_database_that_is_away_is_told_once_too() -> None:
    async def refused() -> None:
        raise ConnectionRefusedError

    outage = Outage("test")
    with capture_logs() as logs:
        for _ in range(8):
            await outage.survive(refused)
    assert [(entry["event"], "exc_info" in entry) for entry in logs] == [("storage_away", False)]


async def test_a_loop_ends_even_when_its_cancellation_was_swallowed_on_the_way() -> None:
    outage, begun = Outage("test"), asyncio.Event()

    async def swallow() -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(outage.survive(swallow))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_bug_is_logged_each_time_with_its_traceback_and_the_pauses_grow_up_to_two_seconds() -> None:
    async def fail() -> None:
        raise KeyError("bug")

    outage = Outage("test")
    with capture_logs() as logs:
        pauses = [await outage.survive(fail) for _ in range(8)]
    assert pauses == [50, 100, 200, 400, 800, 1600, 2000, 2000]
    assert all(entry["exc_info"] for entry in logs)


async def test_what_a_crashed_collector_left_behind_is_collected_at_the_start(line: Line) -> None:
    await line.push(incoming("hello"))
    await line.chats.wait_source(1)
    async with running(Collector(line.chats, clock=line.clock, notify=lambda _: None, wait=0.05).run):
        await until(lambda: _has_deadline(line))


async def test_a_backlog_is_collected_whole(line: Line) -> None:
    await line.push(*(incoming(f"{i}") for i in range(1000)))
    rounds: list[int | None] = []
    async with running(
        Collector(line.chats, clock=line.clock, notify=rounds.append, limit=100, wait=0.05).run
    ):
        await until(lambda: len(rounds) >= 10)
        assert await line.redis.exists(line.keys.source, line.keys.taken) == 0
