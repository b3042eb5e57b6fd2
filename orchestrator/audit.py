"""The log of who did what: moves entries from Redis into the table, once each, and forgets old ones.

Every replica of the hub moves. An entry leaves the stream after it stands in the table; one that two replicas
move, or that a crash left in both, is known by its id.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis

from core.alarm import Outage
from core.audit import STREAM, Entry
from core.clock import Clock
from core.keys import Keys
from orchestrator.store.errors import Unstorable, only_storable
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql

log = structlog.get_logger()

_AT_ONCE = 500
_EVERY_SECONDS = 1.0


class AuditKeeper:
    """`days`: an entry is kept so long; 0: for ever."""

    def __init__(self, pool: Pool, redis: Redis, keys: Keys, clock: Clock, *, days: int) -> None:
        self._pool = pool
        self._redis = redis
        self._stream = keys.stream(STREAM)
        self._clock = clock
        self._days = days
        self._outage = Outage("audit")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._outage.survive(self._round)
            await asyncio.sleep(_EVERY_SECONDS)

    async def _round(self) -> None:
        while await self.move() == _AT_ONCE:
            pass
        await self.forget()

    async def move(self) -> int:
        """Move the oldest entries; how many there were."""
        found: Any = await self._redis.xrange(self._stream, count=_AT_ONCE)
        if not found:
            return 0
        entries = [entry for _, fields in found if (entry := _read(fields)) is not None]
        try:
            await self._keep(entries)
        except Unstorable:
            for entry in entries:
                await self._keep_or_tell(entry)
        await self._redis.xdel(self._stream, *[number for number, _ in found])
        return len(found)

    async def _keep(self, entries: Sequence[Entry]) -> None:
        with only_storable():
            await self._pool.execute(sql("keep_audit"), [one.model_dump() for one in entries])

    async def _keep_or_tell(self, entry: Entry) -> None:
        """One that the table cannot hold must not keep back the others."""
        try:
            await self._keep([entry])
        except Unstorable:
            log.exception("audit_not_stored", **entry.model_dump())

    async def forget(self) -> None:
        """Drop what is older than it is kept."""
        if self._days:
            now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
            await self._pool.execute(sql("forget_audit"), now - timedelta(days=self._days))


def _read(fields: dict[Any, Any]) -> Entry | None:
    raw = next(iter(fields.values()), b"")
    try:
        return Entry.model_validate_json(raw)
    except ValidationError:
        log.exception("audit_entry_unreadable", entry=str(raw)[:500])
        return None
