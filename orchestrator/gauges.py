"""Depths of the queues, for /metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from core.alarm import Outage
from core.chats import Chats
from core.observability import Metrics

_EVERY_SECONDS = 5.0


class Gauges:
    """Looks at the queues every few seconds, and has `others` look at what is theirs."""

    def __init__(
        self, metrics: Metrics, queues: Mapping[str, Chats[Any]], *others: Callable[[], Awaitable[None]]
    ) -> None:
        self._metrics = metrics
        self._queues = queues
        self._others = others
        self._outage = Outage("gauges")

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self._outage.survive(self.measure)
            await asyncio.sleep(_EVERY_SECONDS)

    async def measure(self) -> None:
        """Set the gauges once."""
        for name, chats in self._queues.items():
            stats = await chats.stats()
            depth = self._metrics.depth
            depth.labels(name, "source").set(stats.source + stats.taken)
            depth.labels(name, "live_chats").set(stats.live_chats)
            depth.labels(name, "pending").set(stats.pending)
            depth.labels(name, "dead").set(stats.dead)
        for measure in self._others:
            await measure()
