"""A bell that wakes waiters in every replica: Redis pub/sub between processes, an event inside one.

A ring that nobody hears is no loss: what it announces lies in PostgreSQL or Redis, and waiters look again
after their timeout, and when the bell is heard again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_RECONNECT_SECONDS = 1.0


class Bell:
    """`ticket` before looking, `wait` after finding nothing: a ring in between is not missed."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key
        self._rung = 0
        self._changed = asyncio.Condition()

    @property
    def ticket(self) -> int:
        """How often the bell has rung so far."""
        return self._rung

    async def ring(self) -> None:
        """Wake the waiters of this process now and those of the others through Redis."""
        await self._wake()
        try:
            await self._redis.publish(self._key, b"")
        except (RedisError, OSError):
            structlog.get_logger().warning("bell_not_heard_elsewhere", bell=self._key)

    async def wait(self, ticket: int, timeout: float) -> None:
        """Return as soon as the bell has rung since `ticket`, or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self._rung != ticket)
        except TimeoutError:
            return

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear the rings of other processes while inside."""
        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(self._listen())
            try:
                yield
            finally:
                listener.cancel()

    async def _wake(self) -> None:
        async with self._changed:
            self._rung += 1
            self._changed.notify_all()

    async def _listen(self) -> None:
        async with aclosing(heard(self._redis, self._key)) as rings:
            async for _ in rings:
                await self._wake()


async def heard(redis: Redis, key: str) -> AsyncGenerator[bytes | None, None]:
    """What is published on `key`, for ever. None: it is heard again, after a while in which it was not."""
    first = True
    while True:
        try:
            async with redis.pubsub() as channel:
                await channel.subscribe(key)
                _end_if_told()
                async for message in channel.listen():
                    if message["type"] == "message":
                        yield message["data"]
                    elif not first:  # redis-py, too, subscribes again when it had to connect again
                        yield None
                    first = False
        except (RedisError, OSError):
            first = False
            _end_if_told()
            await asyncio.sleep(_RECONNECT_SECONDS)


def _end_if_told() -> None:
    """redis-py swallows a cancellation that comes while it connects: who ends then would wait for ever."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
