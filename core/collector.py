"""The loop that empties a source into its chats. Several may run, in several processes."""

import asyncio
from collections.abc import Callable
from typing import Any

from core.alarm import Outage
from core.chats import Chats
from core.clock import Clock


class Collector:
    """Waits for messages, moves them, and tells `notify` the earliest deadline (Unix ms or None).

    `wait` (seconds) bounds how long a message that a crashed collector left behind lies there. `pause`
    (seconds) gathers messages before each round: less work for Redis where the silence is long anyway.
    """

    def __init__(
        self,
        chats: Chats[Any],
        *,
        clock: Clock,
        notify: Callable[[int | None], None],
        limit: int = 500,
        wait: float = 1.0,
        pause: float = 0.0,
    ) -> None:
        self._chats = chats
        self._clock = clock
        self._notify = notify
        self._limit = limit
        self._wait = wait
        self._pause_ms = round(pause * 1000)
        self._outage = Outage("collector")
        self._never = asyncio.Event()

    async def run(self) -> None:
        """Collect until cancelled; that is safe at any moment."""
        await self._sleep(await self._outage.survive(self._drain))
        while True:
            await self._sleep(await self._outage.survive(self._round))

    async def _round(self) -> None:
        if await self._chats.wait_source(self._wait):
            await self._sleep(self._pause_ms)
        await self._drain()

    async def _drain(self) -> None:
        more = True
        while more:
            collected = await self._chats.collect(self._clock.now_ms(), self._limit)
            self._notify(collected.next_due)
            more = collected.more

    async def _sleep(self, ms: int) -> None:
        if ms > 0:
            await self._clock.wait(self._never, self._clock.now_ms() + ms)
