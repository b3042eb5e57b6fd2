"""Time as an argument: what decides by time is given a Clock."""

import asyncio
import time
from contextlib import suppress
from typing import Protocol


class Clock(Protocol):
    """Unix time and a way to wait for it."""

    def now_ms(self) -> int:
        """Unix time, ms."""

    async def wait(self, event: asyncio.Event, until_ms: int) -> None:
        """Return when the event is set or the time has come, whichever is first."""


class SystemClock:
    """The machine's own time."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def wait(self, event: asyncio.Event, until_ms: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(until_ms / 1000 - time.time()):
                await event.wait()
