"""How the engine's loops wait: until a time that others may bring forward, and through an outage."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.clock import Clock

log = structlog.get_logger()

FIRST_PAUSE_MS = 50
LONGEST_PAUSE_MS = 2000


class Alarm:
    """Rings at the earliest time it was set to since the last `reset`, or at once on `ring`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = sys.maxsize
        self._changed = asyncio.Event()

    def reset(self) -> None:
        """Forget all times; what is set from here on counts for the next rest."""
        self._until = sys.maxsize

    def set(self, at_ms: int) -> None:
        """Ring at this time, if not before; wakes the sleeper only when that is news to it."""
        if at_ms < self._until:
            self._until = at_ms
            self._changed.set()

    def ring(self) -> None:
        """End the rest now."""
        self.set(0)

    async def rest(self) -> None:
        """Sleep until the alarm rings."""
        while self._clock.now_ms() < self._until:
            self._changed.clear()
            # nobody waits for a year; a bound keeps the sum within what an event loop can count
            await self._clock.wait(self._changed, min(self._until, self._clock.now_ms() + 3_600_000))


class Outage:
    """The top of a loop: no error ends it. A storage that is away is told once, and once when it is back."""

    def __init__(self, loop: str) -> None:
        self._loop = loop
        self._failures = 0

    async def survive(self, round_of_loop: Callable[[], Awaitable[None]]) -> int:
        """Do one round; how long to pause after it, ms: 0 when it went well."""
        try:
            await round_of_loop()
        except (RedisConnectionError, RedisTimeoutError, ConnectionError) as error:
            if self._failures == 0:
                what = "storage_away" if isinstance(error, ConnectionError) else "redis_away"
                log.warning(what, loop=self._loop, error=type(error).__name__)
        except Exception:
            log.exception("loop_round_failed", loop=self._loop)
        else:
            self._recovered()
            return 0
        finally:
            _end_if_cancelled()
        self._failures += 1
        return min(FIRST_PAUSE_MS << min(self._failures - 1, 10), LONGEST_PAUSE_MS)

    def _recovered(self) -> None:
        if self._failures:
            log.info("loop_recovered", loop=self._loop, failed_rounds=self._failures)
        self._failures = 0


def _end_if_cancelled() -> None:
    """wait_for of Python 3.11 (redis-py sends with it) may swallow a cancellation: python/cpython#86296."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
