"""The way out in figures: what waits per account and since when, what nobody knows, open breakers."""

import asyncio
from datetime import UTC, datetime

from core.alarm import Outage
from core.clock import Clock
from core.observability import Metrics
from orchestrator.breakers import Breakers
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql

_EVERY_SECONDS = 5.0
_STATES = {"open": 1.0, "half_open": 0.5}


class OutboundGauges:
    """Looks every few seconds; every replica shows the same outbox, and its own breakers."""

    def __init__(self, metrics: Metrics, pool: Pool, breakers: Breakers, clock: Clock) -> None:
        self._metrics = metrics
        self._pool = pool
        self._breakers = breakers
        self._clock = clock
        self._outage = Outage("outbound_gauges")

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self._outage.survive(self.measure)
            await asyncio.sleep(_EVERY_SECONDS)

    async def measure(self) -> None:
        """Set the gauges once; an account that has nothing any more has no line."""
        metrics, now = self._metrics, datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        rows = await self._pool.fetch(sql("outbound_figures"))
        depth, age_of, unknown = metrics.outbound_depth, metrics.outbound_age, metrics.outbound_unknown
        for gauge in (depth, age_of, unknown, metrics.breaker):
            gauge.clear()
        for row in rows:
            account = (row["channel"], row["account"])
            for state in ("waiting", "scheduled"):
                depth.labels(*account, state).set(row[state])
            unknown.labels(*account).set(row["unknown"])
            age = (now - row["oldest"]).total_seconds() if row["oldest"] else 0.0
            age_of.labels(*account).set(max(0.0, age))
        for seen in self._breakers.seen():
            metrics.breaker.labels(seen.channel, seen.account).set(_STATES[seen.state])
