"""Channels are told of pauses: at once after the transaction, and again when a crash or Redis lost it."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from core.alarm import Outage
from core.clock import Clock
from core.errors import StorageDown
from core.pauses import Pauses
from orchestrator.pauses import mark_told, untold
from orchestrator.store.pool import Pool

_AT_ONCE = 200
_SWEEP_SECONDS = 1.0
#: Pauses in force are told again so often: a Redis that lost its data must not let the AI speak for long.
_AGAIN = timedelta(seconds=60)


class TellsPauses(Protocol):
    """Passes on what a transaction has decided."""

    def ring(self) -> None: ...

    async def tell(self) -> None: ...


class PauseNews:
    """Over any number of replicas: telling twice is harmless, and old news never replace newer ones."""

    def __init__(self, pool: Pool, pauses: Pauses, clock: Clock) -> None:
        self._pool = pool
        self._pauses = pauses
        self._clock = clock
        self._rung = asyncio.Event()
        self._outage = Outage("pause_news")

    def ring(self) -> None:
        """Something was decided: the loop tells it now."""
        self._rung.set()

    async def tell(self) -> None:
        """Tell it before the caller goes on; a Redis that is away is left to the loop."""
        try:
            await self.tell_all()
        except StorageDown:
            structlog.get_logger().warning("pauses_told_later")
            self.ring()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            self._rung.clear()
            pause_ms = await self._outage.survive(self.tell_all)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_ms / 1000 or _SWEEP_SECONDS):
                    await self._rung.wait()

    async def tell_all(self) -> None:
        """Tell what the channels may not know. Raises StorageDown."""
        while True:
            now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
            news = await untold(self._pool, before=now - _AGAIN, limit=_AT_ONCE)
            for pause in news:
                await self._pauses.tell(pause.told())
            await mark_told(self._pool, news, now)
            if len(news) < _AT_ONCE:
                return
