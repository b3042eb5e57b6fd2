"""How many dead letters lie at each door, since when and how large: for /metrics and /info."""

import asyncio
from typing import Any

from prometheus_client import Gauge

from core.alarm import Outage
from core.clock import Clock
from core.deadletters import DOORS, STATES
from core.letter_search import LetterSearch
from core.observability import Metrics

#: Rarer than the queues: every letter is looked at.
_EVERY_SECONDS = 30.0


class LetterGauges:
    """Measures every half a minute."""

    def __init__(self, metrics: Metrics, search: LetterSearch, clock: Clock) -> None:
        registry = metrics.registry
        place = ("door", "state")
        self._count = Gauge("eldoleado_letters", "Dead letters that lie there", place, registry=registry)
        self._bytes = Gauge("eldoleado_letters_bytes", "What they take of Redis", place, registry=registry)
        self._oldest = Gauge(
            "eldoleado_letters_oldest_seconds", "Age of the oldest that waits", ("door",), registry=registry
        )
        self._search = search
        self._clock = clock
        self._outage = Outage("letter_gauges")

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self._outage.survive(self.measure)
            await asyncio.sleep(_EVERY_SECONDS)

    async def measure(self) -> None:
        """Set the gauges of every door once, also of those where nothing lies."""
        for door in DOORS:
            for state in STATES:
                found = await self._search.measure(door, state)
                self._count.labels(door, state).set(found.count)
                self._bytes.labels(door, state).set(found.size)
                if state == "waiting":
                    self._oldest.labels(door).set(_age(found.oldest_ms, self._clock))


async def dead_letters(search: LetterSearch, clock: Clock) -> dict[str, Any]:
    """{waiting, oldest_seconds, bytes} over all doors; `bytes` with those that were replayed."""
    waiting = [await search.measure(door, "waiting") for door in DOORS]
    replayed = [await search.measure(door, "replayed") for door in DOORS]
    oldest = min((one.oldest_ms for one in waiting if one.oldest_ms is not None), default=None)
    return {
        "waiting": sum(one.count for one in waiting),
        "oldest_seconds": _age(oldest, clock),
        "bytes": sum(one.size for one in (*waiting, *replayed)),
    }


def _age(written_ms: int | None, clock: Clock) -> float:
    return 0.0 if written_ms is None else max(0, clock.now_ms() - written_ms) / 1000
