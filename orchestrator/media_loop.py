"""What could not be had ahead of a turn: files fetched and voice notes heard afterwards, and retention.

Any number of replicas may run it: each row is claimed by one (SKIP LOCKED) until its lease ends.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog

from core.alarm import Outage
from core.clock import Clock
from core.errors import StorageDown
from core.observability import Metrics
from orchestrator import media_rows
from orchestrator.content_store import ContentKey
from orchestrator.media_fetching import Missed
from orchestrator.media_rows import WaitingFile
from orchestrator.safekeeping import Safekeeping
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql

log = structlog.get_logger()

#: Pauses between tries, seconds; the last one is repeated. Links of an hour are tried five times.
_PAUSES = (5, 15, 60, 300, 600, 900)
#: A file that its vendor says it does not have is asked for so often.
_TRIES_OF_GONE = 3
#: How often it looks by itself, for leases that ended and for the work of dead replicas.
_LOOK_SECONDS = 2.0
_SWEEP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Care:
    """How much is done for files. `keep_days` and `store_bytes` 0: without end."""

    fetch_seconds: float
    attempts: int
    workers: int
    keep_days: float
    store_bytes: int


class MediaLoop:
    """Looks every two seconds."""

    def __init__(
        self, pool: Pool, keeping: Safekeeping, care: Care, *, clock: Clock, metrics: Metrics
    ) -> None:
        self._pool = pool
        self._keeping = keeping
        self._contents = keeping.contents
        self._transcripts = keeping.transcripts
        self._care = care
        self._clock = clock
        self._metrics = metrics
        self._never = asyncio.Event()
        self._sweep_at = 0

    async def run(self) -> None:
        """Fetch what waits, until cancelled."""
        outage = Outage("media")
        while True:
            pause = await outage.survive(self.round) or round(_LOOK_SECONDS * 1000)
            await self._clock.wait(self._never, self._clock.now_ms() + pause)

    async def round(self) -> None:
        """One look at everything that is due."""
        while await self._fetch_due() + await self._transcripts.hear_due(self._care.workers):
            pass
        if self._clock.now_ms() >= self._sweep_at:
            await self._sweep()

    async def _fetch_due(self) -> int:
        now = self._contents.now()
        until = now + timedelta(seconds=2 * self._care.fetch_seconds + 60)
        waiting = await media_rows.claim(self._pool, now=now, until=until, most=self._care.workers)
        await asyncio.gather(*(self._fetch_one(one) for one in waiting))
        return len(waiting)

    async def _fetch_one(self, one: WaitingFile) -> None:
        if one.deleted:
            await self._settle(one, Missed("failed", "its message was deleted", final=True))
            return
        try:
            taken = await self._keeping.take(
                one.file, channel=one.channel, account=one.account, has_words=one.has_words
            )
            if not isinstance(taken, Missed):
                await self._link(one, taken)
                return
        except (StorageDown, asyncpg.ForeignKeyViolationError) as error:
            await self._postpone(one, type(error).__name__, seconds=_PAUSES[2], counts=False)
            return
        tries = _TRIES_OF_GONE if taken.state == "expired" else self._care.attempts
        if taken.final or one.attempts >= min(tries, self._care.attempts):
            await self._settle(one, taken)
        else:
            pause = max(taken.retry_after, _PAUSES[min(one.attempts, len(_PAUSES)) - 1])
            await self._postpone(one, taken.reason, seconds=pause, counts=True)

    async def _link(self, one: WaitingFile, key: ContentKey) -> None:
        if await media_rows.link(self._pool, one.id, key, now=self._contents.now()):
            self._metrics.media.labels("stored").inc()
            if one.file.kind == "voice":
                await self._transcripts.tell(key)
        else:  # its client was erased meanwhile
            await self._pool.execute(sql("release_contents"), [key], self._contents.now())
            await self._contents.forget([key])

    async def _settle(self, one: WaitingFile, missed: Missed) -> None:
        now = self._contents.now()
        await media_rows.settle(self._pool, one.id, missed.state, missed.reason, now=now)
        self._metrics.media.labels(missed.state).inc()
        structlog.get_logger().warning(
            "file_given_up", file=one.id, channel=one.channel, state=missed.state, why=missed.reason
        )

    async def _postpone(self, one: WaitingFile, reason: str, *, seconds: float, counts: bool) -> None:
        now = self._contents.now()
        due = now + timedelta(seconds=seconds)
        await media_rows.postpone(self._pool, one.id, reason, due=due, counts=counts, now=now)
        self._metrics.media.labels("later").inc()

    async def _sweep(self) -> None:
        keep = timedelta(days=self._care.keep_days) if self._care.keep_days else None
        gone = await self._contents.sweep(keep=keep, most_bytes=self._care.store_bytes)
        self._metrics.media.labels("removed").inc(gone)
        row = await self._pool.fetchrow(sql("measure_media"))
        for place in ("bytes", "waiting", "unheard"):
            self._metrics.media_store.labels(place).set(row[place] if row else 0)
        self._sweep_at = self._clock.now_ms() + round(_SWEEP_SECONDS * 1000)
