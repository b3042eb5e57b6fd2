"""The outbox's relay: what may go gets a ticket on `queue:tickets`, the urgent first, at least once.

A crash between the push and the mark pushes a ticket again; the delivery's id makes that harmless.
"""

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from core.alarm import Outage
from core.bell import Bell
from core.clock import Clock
from orchestrator.store import outbox
from orchestrator.store.outbox import Window
from orchestrator.store.pool import Pool

_SWEEP_SECONDS = 1.0
#: Any number that no other program's advisory lock uses: one relay at a time keeps the windows.
_LOCK = 7_311_205_508_781
#: Pushed that long ago, in a chat where nothing has moved since: Redis may have lost it. A ticket that has
#: only waited for a worker is pushed a second time then, and recognised. Longer than deliver.LONGEST_DELAY.
_STALE = timedelta(minutes=15)
_WINDOW = Window()


class Relay:
    """Woken by a bell when a message is accepted; looks by itself every second, also for what is due."""

    def __init__(self, pool: Pool, redis: Redis, queue: str, *, bell: Bell, clock: Clock) -> None:
        self._pool = pool
        self._redis = redis
        self._queue = queue
        self._bell = bell
        self._clock = clock
        self._outage = Outage("relay")
        self._ticket = 0

    async def run(self) -> None:
        """Push until cancelled."""
        while True:
            self._ticket = self._bell.ticket
            pause_ms = await self._outage.survive(self.push_all)
            if pause_ms:
                await self._bell.wait(self._bell.ticket, pause_ms / 1000)
            else:
                await self._bell.wait(self._ticket, _SWEEP_SECONDS)

    async def push_all(self) -> None:
        """Push everything that may go now."""
        await outbox.unqueue_stale(self._pool, before=self._now() - _STALE)
        while await self._push_some() >= _WINDOW.at_once:
            pass

    async def _push_some(self) -> int:
        now = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            released = await outbox.release_due(connection, now=now, limit=_WINDOW.at_once)
            tickets = await outbox.unqueued(connection, _WINDOW)
            if tickets:
                await self._redis.rpush(self._queue, *(ticket.model_dump_json() for ticket in tickets))
                await outbox.mark_queued(connection, [ticket.id for ticket in tickets], now=now)
        return max(released, len(tickets))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
