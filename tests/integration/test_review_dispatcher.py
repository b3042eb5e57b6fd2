"""Nothing that one chat's work does ends the loop that serves all others."""

import asyncio
from typing import Any

import pytest

from core import dispatcher as engine
from core.chats import Lease
from core.dispatcher import Dispatcher
from tests.integration.chats_fixture import SECOND, incoming, incoming_line, texts
from tests.integration.test_chats_dispatcher import PATIENCE, running, until


async def test_a_chat_that_cannot_be_given_back_does_not_end_the_loop(redis_url: str) -> None:
    """uvloop answers a write to a closed connection with a RuntimeError, which is no RedisError."""
    worked: asyncio.Queue[str] = asyncio.Queue()
    async with incoming_line(redis_url) as line:

        async def broken_line(*_: Any, **__: Any) -> bool:
            raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")

        async def work(lease: Lease) -> None:
            [text] = texts(lease)
            worked.put_nowait(text)
            if text == "fails":
                raise ValueError("no such luck")
            await line.ack_all(lease)

        line.chats.retry = broken_line  # type: ignore[method-assign]  # the connection breaks just then
        loop = Dispatcher(line.chats, work, clock=line.clock)
        await line.arrive(incoming("fails", chat="c1"))
        await line.pass_time(20 * SECOND)
        async with running(loop.run), asyncio.timeout(PATIENCE):
            assert await worked.get() == "fails"
            await line.arrive(incoming("works", chat="c2"))
            line.clock.move(20 * SECOND)
            assert await worked.get() == "works"


async def test_the_chats_that_failed_longest_ago_are_forgotten(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another replica may have ended their troubles: this one would remember them for ever."""
    monkeypatch.setattr(engine, "FAILURES_IN_MEMORY", 3)
    failed = asyncio.Semaphore(0)

    async def work(_: Lease) -> None:
        failed.release()
        raise ValueError("no such luck")

    async with incoming_line(redis_url) as line:
        loop = Dispatcher(line.chats, work, clock=line.clock)
        await line.arrive(*(incoming("x", chat=f"c{number}") for number in range(5)))
        await line.pass_time(20 * SECOND)
        async with running(loop.run), asyncio.timeout(PATIENCE):
            for _ in range(5):
                await failed.acquire()
            await until(lambda: not loop.in_work)
        assert len(loop._failures) == 3
