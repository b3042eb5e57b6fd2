"""The bell wakes waiters here and in other processes, and nobody sleeps through a ring."""

import asyncio
from collections.abc import Awaitable

import pytest
from redis.asyncio import Redis

from core.bell import Bell
from tests.integration.intake_fixture import connect, line_to

KEY = "bell:test"
#: Longer than any test: a wait that ends by its timeout fails.
LONG = 30.0


async def ring_until_heard(redis: Redis, key: str = KEY) -> None:
    """Ring from another process, as soon as somebody listens."""
    while not await redis.publish(key, b""):
        pass


async def rings(waiting: Awaitable[None]) -> None:
    """The wait ends long before its own timeout."""
    async with asyncio.timeout(LONG / 3):
        await waiting


async def test_a_ring_wakes_every_waiter_of_this_process(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        bell = Bell(redis, KEY)
        waiters = [asyncio.create_task(bell.wait(bell.ticket, LONG)) for _ in range(5)]
        await asyncio.wait(waiters, timeout=0)

        await bell.ring()

        await rings(asyncio.wait_for(asyncio.gather(*waiters), LONG))  # type: ignore[arg-type]  # a list of None


async def test_a_ring_between_looking_and_waiting_is_not_missed(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        bell = Bell(redis, KEY)
        ticket = bell.ticket
        await bell.ring()

        await rings(bell.wait(ticket, LONG))


async def test_a_ring_before_looking_wakes_nobody(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        bell = Bell(redis, KEY)
        await bell.ring()
        ticket = bell.ticket

        await bell.wait(ticket, 0.01)

        assert bell.ticket == ticket


@pytest.mark.parametrize("seconds", [0.0, 0.01, -1.0])
async def test_a_wait_ends_by_itself(redis_url: str, seconds: float) -> None:
    async with connect(redis_url) as redis:
        bell = Bell(redis, KEY)

        await rings(bell.wait(bell.ticket, seconds))


async def test_a_ring_of_another_process_is_heard(redis_url: str) -> None:
    async with connect(redis_url) as redis, connect(redis_url) as elsewhere:
        bell = Bell(redis, KEY)
        async with bell.listening():
            waiting = asyncio.create_task(bell.wait(bell.ticket, LONG))
            await ring_until_heard(elsewhere)
            await rings(waiting)


async def test_bells_of_two_replicas_ring_together(redis_url: str) -> None:
    async with connect(redis_url) as first, connect(redis_url) as second:
        here, there = Bell(first, KEY), Bell(second, KEY)
        async with there.listening():
            await ring_until_heard(first)
            ticket = there.ticket

            await here.ring()

            await rings(there.wait(ticket, LONG))


async def test_another_bell_is_not_ours(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        ours, other = Bell(redis, KEY), Bell(redis, "bell:other")
        async with ours.listening(), other.listening():
            await ring_until_heard(redis, "bell:other")
            await rings(other.wait(0, LONG))

            assert ours.ticket == 0


async def test_silence_longer_than_the_timeout_of_redis_does_not_make_deaf(redis_url: str) -> None:
    """Services give up on a command after a second; listening is no command."""
    async with Redis.from_url(redis_url, socket_timeout=0.05) as redis, connect(redis_url) as elsewhere:
        bell = Bell(redis, KEY)
        async with bell.listening():
            await ring_until_heard(elsewhere)
            ticket = bell.ticket
            await bell.wait(ticket, 0.3)

            assert await elsewhere.publish(KEY, b"") == 1
            await rings(bell.wait(ticket, LONG))


async def test_without_redis_the_bell_still_rings_here(redis_url: str) -> None:
    async with line_to(redis_url) as line, connect(line.url) as redis:
        bell = Bell(redis, KEY)
        await line.cut()
        waiting = asyncio.create_task(bell.wait(bell.ticket, LONG))

        await bell.ring()

        await rings(waiting)


async def test_when_redis_is_back_waiters_look_again_and_the_others_are_heard(redis_url: str) -> None:
    """Somebody may have rung meanwhile."""
    async with line_to(redis_url) as line, connect(line.url) as redis, connect(redis_url) as elsewhere:
        bell = Bell(redis, KEY)
        async with bell.listening():
            await ring_until_heard(elsewhere)
            await rings(bell.wait(0, LONG))
            before = bell.ticket
            await line.cut()
            await line.mend()
            await rings(bell.wait(before, LONG))
            back = bell.ticket
            await ring_until_heard(elsewhere)
            await rings(bell.wait(back, LONG))


async def test_listening_ends_at_once_also_without_redis(redis_url: str) -> None:
    async with line_to(redis_url) as line, connect(line.url) as redis:
        bell = Bell(redis, KEY)
        async with asyncio.timeout(LONG / 3):
            async with bell.listening():
                await line.cut()
                await bell.wait(bell.ticket, 0.05)
