"""Bulks: one text, or one each, to many chats that we know. Every message of it is a delivery of its own."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

import asyncpg

from core.errors import IdempotencyConflict
from core.jsontext import write_json
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable

#: Why a chat gets no message of the bulk.
NOT_KNOWN = "not_known"
PAUSED = "paused"
EMPTY = "empty_text"
REPEATED = "repeated"

#: So often more a bulk is begun that met a merge or an erasure.
_TRIES = 4
#: States in which a message of a bulk may yet move.
_OPEN = ("scheduled", "queued", "sending", "unknown")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to be sent; `items` are (chat, text) in their order."""

    id: UUID
    channel: str
    account: str
    items: Sequence[tuple[str, str]]
    by: str = ""

    @property
    def digest(self) -> str:
        """Of the content: the same key with another is a conflict. A key stands for one account already."""
        said = write_json([self.channel, [list(item) for item in self.items]])
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Refused:
    """A chat that gets no message, and why."""

    chat_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bulk:
    """A row of `bulks`; `total` are the messages that were accepted."""

    id: UUID
    channel: str
    account: str
    digest: str
    total: int
    refused: list[dict[str, str]]
    asked_by: str
    created_at: datetime
    cancelled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a bulk is. `settled`: messages with which nothing more will happen by itself, of `bulk.total`.

    `seconds_left` goes by the last minute; None: nothing to go by.
    """

    bulk: Bulk
    states: Mapping[str, int] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    seconds_left: int | None = None
    settled: int = 0


async def accept_bulk(pool: Pool, asked: Asked, *, now: datetime) -> tuple[Bulk, bool]:
    """Accept all of it or nothing; the same bulk again is the same messages.

    Raises IdempotencyConflict when its id was used for another.
    """
    for _ in range(_TRIES):
        with suppress(asyncpg.ForeignKeyViolationError, asyncpg.DeadlockDetectedError):
            return await _accept(pool, asked, now)
    return await _accept(pool, asked, now)


async def _accept(pool: Pool, asked: Asked, now: datetime) -> tuple[Bulk, bool]:
    """As accept_bulk. It has no chat for itself: it fails when a client of it is merged or erased."""
    async with pool.acquire() as connection, connection.transaction():
        known = await get_bulk(connection, asked.id)
        created = known is None and await _insert(connection, asked, now)
        bulk = known or await get_bulk(connection, asked.id)
    if bulk is None or bulk.digest != asked.digest:
        raise IdempotencyConflict(channel=asked.channel)
    return bulk, created


async def refusals(executor: Executor, asked: Asked, *, now: datetime) -> tuple[list[str], list[Refused]]:
    """The chats that would get a message now, and those that would get none."""
    taken, refused = _told_apart(asked.items)
    chats = [chat for chat, _ in taken]
    rows = await executor.fetch(sql("chats_for_bulk"), asked.channel, asked.account, chats, now)
    paused = {row["external_chat_id"]: row["paused"] for row in rows}
    reached = [chat for chat in chats if paused.get(chat) is False]
    left = [
        Refused(chat, PAUSED if chat in paused else NOT_KNOWN)
        for chat in chats
        if paused.get(chat) is not False
    ]
    return reached, refused + left


async def get_bulk(executor: Executor, bulk_id: UUID) -> Bulk | None:
    """The bulk, or None."""
    row = await executor.fetchrow(sql("get_bulk"), bulk_id)
    return Bulk(**{name: row[name] for name in Bulk.__slots__}) if row is not None else None


async def progress(executor: Executor, bulk_id: UUID, *, now: datetime) -> Progress | None:
    """How far it is, or None: no such bulk."""
    bulk = await get_bulk(executor, bulk_id)
    if bulk is None:
        return None
    return _progress(bulk, await executor.fetch(sql("bulk_figures"), bulk_id, now))


async def cancel_bulk(pool: Pool, bulk_id: UUID, *, now: datetime) -> int | None:
    """Send nothing of it that has not begun; how many messages that spares, or None: no such bulk."""
    async with pool.acquire() as connection, connection.transaction():
        if await get_bulk(connection, bulk_id) is None:
            return None
        spared = [row["id"] for row in await connection.fetch(sql("cancel_bulk_messages"), bulk_id, now)]
        await connection.execute(sql("forget_unsent"), spared)
        if spared:
            await connection.execute(sql("cancel_bulk"), bulk_id, now)
    return len(spared)


async def _insert(connection: Connection, asked: Asked, now: datetime) -> bool:
    """False when somebody else was faster."""
    taken, refused = _told_apart(asked.items)
    place = (asked.channel, asked.account)
    rows = await connection.fetch(sql("chats_for_bulk"), *place, [chat for chat, _ in taken], now)
    known = {row["external_chat_id"]: row for row in rows}
    reached = {chat for chat, row in known.items() if not row["paused"]}
    sent = [(chat, text) for chat, text in taken if chat in reached]
    left = [chat for chat, _ in taken if chat not in reached]
    refused += [Refused(chat, PAUSED if chat in known else NOT_KNOWN) for chat in left]
    told = [{"chat_id": one.chat_id, "reason": one.reason} for one in refused]
    row = (asked.id, *place, asked.digest, len(sent), told, storable(asked.by), now)
    if await connection.fetchval(sql("insert_bulk"), *row) is None:
        return False
    ids = [uuid5(asked.id, chat) for chat, _ in sent]
    clients = [known[chat]["client_id"] for chat, _ in sent]
    appeals = [known[chat]["appeal_id"] for chat, _ in sent]
    columns = (ids, clients, appeals, [chat for chat, _ in sent], [text for _, text in sent])
    await connection.execute(sql("insert_bulk_messages"), *place, asked.id, now, *columns)
    return True


def _told_apart(items: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[Refused]]:
    """Pure: what may be sent, one text to a chat, and what is refused at sight."""
    taken: dict[str, str] = {}
    refused = []
    for chat, said in items:
        text = storable(said)
        if not text.strip():
            refused.append(Refused(chat, EMPTY))
        elif chat in taken:
            refused.append(Refused(chat, REPEATED))
        else:
            taken[chat] = text
    return list(taken.items()), refused


def _progress(bulk: Bulk, rows: Sequence[asyncpg.Record]) -> Progress:
    states = {row["state"]: row["count"] for row in rows}
    given_up = sum(row["given_up"] for row in rows if row["state"] == "unknown")
    still = sum(states.get(state, 0) for state in _OPEN) - given_up
    lately = sum(row["lately"] for row in rows)
    moved = [row["last_moved"] for row in rows]
    return Progress(
        bulk,
        states,
        started_at=min((row["first_sent"] for row in rows if row["first_sent"]), default=None),
        finished_at=max(moved, default=bulk.created_at) if not still else None,
        seconds_left=round(still * 60 / lately) if still and lately else 0 if not still else None,
        settled=sum(states.values()) - still,
    )
