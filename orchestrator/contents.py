"""What the content store holds, and for whom: `contents` counts by the rows of `media` that need a content.

A content's row comes before its bytes and goes with them, so that no bytes are ever forgotten in the store.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog

from core.clock import Clock
from orchestrator.content_store import ContentKey, ContentStore, key_of
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql

#: Longer than a write and what follows it take; nobody removes the bytes meanwhile.
BUSY = timedelta(minutes=15)
#: Contents removed in one go.
_AT_ONCE = 200


class Contents:
    """The store and its rows. Methods raise StorageDown or asyncpg's errors; all may be repeated."""

    def __init__(self, pool: Pool, store: ContentStore, clock: Clock) -> None:
        self._pool = pool
        self._store = store
        self._clock = clock

    def now(self) -> datetime:
        """The clock's time, in UTC."""
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)

    async def keep(self, content: bytes, media_type: str) -> ContentKey:
        """Store the bytes; somebody must need them (media_rows.write, .link) within a quarter of an hour."""
        key, now = key_of(content), self.now()
        await self._pool.execute(sql("note_content"), key, len(content), media_type, now, now + BUSY)
        await self._store.put(key, content)
        return key

    async def read(self, key: ContentKey) -> bytes | None:
        """The bytes, or None."""
        return await self._store.get(key)

    async def forget(self, keys: Iterable[ContentKey]) -> list[ContentKey]:
        """Remove those that nobody needs any more, bytes and transcripts; which they were.

        One that another client's message needs stays. One that is being written this moment stays for the
        sweep. The rows go in the transaction in which the bytes went: what fails is tried again by the sweep.
        """
        asked = sorted(set(keys))
        gone: list[ContentKey] = []
        for start in range(0, len(asked), _AT_ONCE):
            gone += await self._forget(asked[start : start + _AT_ONCE])
        return gone

    async def _forget(self, keys: list[ContentKey]) -> list[ContentKey]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetch(sql("lock_contents_to_remove"), keys)
            rows = await connection.fetch(sql("remove_unneeded_contents"), keys, self.now())
            unneeded = [ContentKey(row["hash"]) for row in rows]
            await self._store.delete(unneeded)
        return unneeded

    async def sweep(self, *, keep: timedelta | None, most_bytes: int) -> int:
        """Remove what nobody needs, what is older than `keep` and what is beyond `most_bytes` (0: any size).

        How many contents went.
        """
        now = self.now()
        oldest = now - keep if keep else datetime.fromtimestamp(0, UTC)
        rows = await self._pool.fetch(sql("contents_to_retire"), oldest, most_bytes, now, _AT_ONCE)
        retired = [ContentKey(row["hash"]) for row in rows]
        if retired:
            await self._pool.execute(sql("retire_media"), retired, now)
        unneeded = await self._pool.fetch(sql("unneeded_contents"), now, _AT_ONCE)
        gone = await self.forget([*retired, *(ContentKey(row["hash"]) for row in unneeded)])
        if gone:
            structlog.get_logger().info("contents_removed", count=len(gone), retired=len(retired))
        return len(gone)
