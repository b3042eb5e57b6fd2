"""The table `media`: each file of a message, where it comes from and what became of it.

waiting -- link --> stored -- retire --> removed
  |  ^---- postpone (a try failed; a lease ended)
  '-- settle --> failed, too_large, refused_type, refused_address, expired
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from core.capabilities import MediaKind
from orchestrator.content_store import ContentKey
from orchestrator.message_files import MessageFile
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable

#: Why a file is not kept, for good.
Refusal = Literal["failed", "too_large", "refused_type", "refused_address", "expired"]
#: (channel, account, external_chat_id, external_message_id)
MessageKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What became of a file of a message; `transcript` is what a voice note says."""

    id: int
    source: str
    kind: str
    state: str
    transcript_state: str = "none"
    transcript: str = ""


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file to fetch now, and whose it is; `has_words`: the vendor has heard the voice note itself."""

    id: int
    file: MessageFile
    channel: str
    account: str
    attempts: int
    deleted: bool
    has_words: bool


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A stored file as it is served."""

    key: ContentKey
    kind: str
    name: str
    media_type: str


async def write(
    connection: Connection,
    files: Sequence[tuple[MessageKey, MessageFile]],
    kept: Mapping[str, ContentKey],
    now: datetime,
) -> None:
    """Note the files of messages that stand in the history; those in `kept` {source: key} are there already.

    Belongs into the transaction that writes the messages: a crash after it forgets no file.
    """
    if not files:
        return
    wanted = sorted({key for _, file in files if (key := kept.get(file.source))})
    there = {row["hash"] for row in await connection.fetch(sql("lock_contents"), wanted)} if wanted else set()
    rows = [
        (*key, file.source, file.kind, storable(file.url), storable(file.file_id), storable(file.name), found)
        for key, file in files
        for found in [kept.get(file.source) if kept.get(file.source) in there else None]
    ]
    columns = ([row[place] for row in rows] for place in range(10))
    written = await connection.fetch(sql("write_media"), *columns, now)
    if there:
        await connection.execute(sql("apply_transcripts"), [row["message_id"] for row in written])
        await connection.execute(sql("release_contents"), list(there), now)


async def claim(pool: Pool, *, now: datetime, until: datetime, most: int) -> list[WaitingFile]:
    """Up to `most` files that are due, this worker's until then."""
    return [
        WaitingFile(
            row["id"],
            MessageFile(cast(MediaKind, row["kind"]), row["source_url"], row["file_id"], row["name"]),
            row["channel"],
            row["account"],
            row["attempts"],
            row["deleted"],
            row["has_words"],
        )
        for row in await pool.fetch(sql("claim_media"), now, until, most)
    ]


async def link(pool: Pool, file_id: int, key: ContentKey, *, now: datetime) -> bool:
    """The file is stored under this key; False when its row is gone or was settled meanwhile.

    asyncpg.ForeignKeyViolationError: the content was removed meanwhile; fetch again.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetch(sql("lock_contents"), [key])
        linked = await connection.fetchval(sql("link_media"), file_id, key, now)
        await connection.execute(sql("release_contents"), [key], now)
    return linked is not None


async def settle(executor: Executor, file_id: int, state: Refusal, reason: str, *, now: datetime) -> None:
    """It will not be fetched."""
    await executor.execute(sql("settle_media"), file_id, state, storable(reason), now)


async def postpone(
    executor: Executor, file_id: int, reason: str, *, due: datetime, counts: bool, now: datetime
) -> None:
    """It is tried again then; `counts`: this try was one of those it has."""
    await executor.execute(sql("postpone_media"), file_id, due, storable(reason), 0 if counts else 1, now)


async def of_messages(executor: Executor, ids: Sequence[int]) -> dict[int, tuple[KeptFile, ...]]:
    """{message: its files}; messages without any are absent."""
    found: dict[int, list[KeptFile]] = defaultdict(list)
    for row in await executor.fetch(sql("media_of_messages"), list(ids)) if ids else ():
        found[row["message_id"]].append(
            KeptFile(
                row["id"],
                row["source"],
                row["kind"],
                row["state"],
                row["transcript_state"] or "none",
                row["transcript"] or "",
            )
        )
    return {message: tuple(files) for message, files in found.items()}


async def to_open(executor: Executor, file_id: int) -> OpenedFile | None:
    """The stored file of a message that was not deleted."""
    row = await executor.fetchrow(sql("media_to_open"), file_id)
    if row is None:
        return None
    return OpenedFile(ContentKey(row["content_hash"]), row["kind"], row["name"], row["media_type"])
