"""A client is forgotten, or told all that is kept of them.

    1  marked, and nothing of theirs goes out any more                  (a transaction)
    2  Redis is emptied of them, then PostgreSQL, then marked again     (a transaction; Redis has none)
    3  the content store forgets the files that nobody else needs

The names that Redis is searched by stand in PostgreSQL until the end of step 2, under the locks of all of the
client's chats, handles and phones: so a crash at any point leaves what a repeat needs, and whoever works for
the client meanwhile waits, and then finds the mark. A leased turn is gone: its agent hears so. A reply that a
vendor is being given arrives, and nothing notes that it did.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis

from core.clock import Clock
from core.erased import Erased
from core.keys import Keys
from orchestrator.content_store import ContentKey
from orchestrator.merges import alone_with, follow
from orchestrator.person import Person, delete_rows, person, rows_of
from orchestrator.store.catalogue import tables
from orchestrator.store.pool import Connection, Pool
from orchestrator.store.queries import sql
from orchestrator.traces import Traces

log = structlog.get_logger()


class ForgetsContents(Protocol):
    """The content store's keeper: removes the files that no message needs any more."""

    async def forget(self, keys: Iterable[ContentKey]) -> list[ContentKey]: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What was erased: how many rows by table, things in Redis by kind, files of the content store."""

    client_id: int
    finished_at: datetime
    tables: dict[str, int] = field(default_factory=dict)
    redis: dict[str, int] = field(default_factory=dict)
    files: int = 0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a message in the content store; `opens`: our link to it does, its message was not deleted."""

    id: int
    hash: str
    kind: str
    name: str
    media_type: str
    size: int
    opens: bool


@dataclass(frozen=True, slots=True)
class Export:
    """All that is kept: whole rows by table, what Redis has, the files in the content store."""

    client_id: int
    tables: dict[str, list[dict[str, Any]]]
    queued: list[str]
    redis: list[dict[str, str]]
    files: list[StoredFile]


class Erasure:
    """Erases and exports clients. `contents` None: there is no content store."""

    def __init__(
        self,
        pool: Pool,
        redis: Redis,
        keys: Keys,
        clock: Clock,
        *,
        contents: ForgetsContents | None = None,
        traces: Traces | None = None,
    ) -> None:
        self._pool = pool
        self._traces = traces or Traces(redis, keys)
        self._erased = Erased(redis, keys)
        self._clock = clock
        self._contents = contents

    async def erase(self, client_id: int, *, by: str = "") -> Report | None:
        """Forget the client and everyone who was merged into them; None when there never was such a client.

        Repeating it is harmless: it finishes what a crash left, or tells what was done.
        """
        now_id = await follow(self._pool, client_id)

        async def begin(connection: Connection, rows: dict[int, Any]) -> bool:
            return await self._begin(connection, rows, by)

        await alone_with(self._pool, [now_id], begin)
        finished = await alone_with(self._pool, [now_id], self._finish)
        if finished is None:
            return await self._done(now_id)
        report, files = finished
        gone = await self._contents.forget(files) if self._contents and files else []
        log.info("client_erased", client=now_id, files=len(gone))
        return replace(report, files=len(gone))

    async def export(self, client_id: int) -> Export | None:
        """All that is kept of the client; None when there is no such client."""
        now_id = await follow(self._pool, client_id)
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            whose = await person(connection, now_id)
            if whose is None:
                return None
            rows = await rows_of(connection, whose)
            files = await _files(connection, whose)
        queued = await self._traces.queued(whose)
        redis = [
            {"key": key, "part": (part or b"").decode(errors="replace")}
            async for key, part in self._traces.found(whose)
        ]
        return Export(now_id, rows, queued, redis, files)

    async def _begin(self, connection: Connection, rows: dict[int, Any], by: str) -> bool:
        """Mark the client, if there is one, so that nothing more comes in or goes out; whether there is."""
        for client_id in rows:
            whose = await person(connection, client_id)
            if whose is not None:
                await connection.execute(sql("begin_erasure"), client_id, by, self._now())
                await connection.execute(sql("cancel_unsent"), client_id, self._now())
                await self._mark(connection, whose)
        return bool(rows)

    async def _finish(
        self, connection: Connection, rows: dict[int, Any]
    ) -> tuple[Report, list[ContentKey]] | None:
        """The work itself, and the files to forget; None when there is no such client (any more)."""
        client_id = next(iter(rows), 0)
        whose = await person(connection, client_id)
        if whose is None:
            return None
        files = sorted({ContentKey(one.hash) for one in await _files(connection, whose)})
        await self._mark(connection, whose)
        redis = await self._traces.remove(whose, self._clock.now_ms())
        report = Report(client_id, self._now(), await delete_rows(connection, whose), dict(redis))
        counts = {name: asdict(report)[name] for name in ("tables", "redis")}
        await connection.execute(sql("end_erasure"), client_id, report.finished_at, counts)
        return report, files

    async def _mark(self, connection: Connection, whose: Person) -> None:
        await connection.execute(sql("mark_erased"), whose.marks, self._now())
        salt: bytes = await connection.fetchval(sql("erasure_salt"))
        await self._erased.note(salt, whose.chats, self._clock.now_ms())

    async def _done(self, client_id: int) -> Report | None:
        row = await self._pool.fetchrow(sql("finished_erasure"), client_id)
        return Report(client_id, row["finished_at"], **row["counts"]) if row else None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


async def _files(connection: Connection, whose: Person) -> list[StoredFile]:
    if "media" not in await tables(connection):
        return []
    rows = await connection.fetch(sql("stored_files"), whose.message_ids)
    return [StoredFile(**row) for row in rows]
