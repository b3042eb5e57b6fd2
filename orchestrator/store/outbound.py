"""The outbox: what we send, from its acceptance to the vendor's receipt.

    queued -- begin_sending --> sending -- mark_sent --> sent --> delivered --> read
      ^                            |---- mark_failed --> failed
      |---- mark_retry ------------|---- mark_unknown -> unknown -- mark_sent | mark_retry | mark_failed

A message begins while it is not finished: also from `sending` (the worker before died) and `unknown`, where
the vendor may have it already. So every send carries the delivery's id as its idempotency key, and the
channel looks before it repeats. A late mark_sent wins over everything but a receipt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from core.errors import IdempotencyConflict
from core.messages import Image, Media, OutgoingMessage
from orchestrator.clients import chat_key
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable

Origin = Literal["reply", "tool", "rest", "list"]
State = Literal["queued", "sending", "sent", "delivered", "read", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way; `queued_at` is when it was pushed to Redis."""

    id: UUID
    seq: int
    origin: Origin
    turn_id: int | None
    appeal_id: int | None
    client_id: int | None
    channel: str
    account: str
    external_chat_id: str
    text: str
    image_url: str
    state: State
    attempts: int
    error_code: str
    error_detail: str
    vendor_message_ids: list[str]
    created_at: datetime
    updated_at: datetime
    queued_at: datetime | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """`created` is False when the id had been accepted before."""

    delivery: Delivery
    created: bool


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose message it is; nothing is known of a chat in which nobody has written yet."""

    client_id: int | None = None
    appeal_id: int | None = None
    turn_id: int | None = None


async def insert_outbound(pool: Pool, message: OutgoingMessage, *, origin: Origin, now: datetime) -> Accepted:
    """Accept a message that is not a reply; the same id again is the same delivery.

    Raises IdempotencyConflict when the id was used for another message.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            sql("lock_keys"), [chat_key(message.channel, message.account, message.external_chat_id)]
        )
        row = await connection.fetchrow(
            sql("whose_chat"), message.channel, message.account, message.external_chat_id
        )
        owner = Owner(row["client_id"], row["appeal_id"]) if row else Owner()
        created = await accept(connection, message, owner, origin=origin, now=now)
        delivery = await get_delivery(connection, message.id)
    if delivery is None or not _same(delivery, message):
        raise IdempotencyConflict(channel=message.channel)
    return Accepted(delivery, created)


async def accept(
    connection: Connection, message: OutgoingMessage, owner: Owner, *, origin: Origin, now: datetime
) -> bool:
    """Write the outbox row and its history row, in the caller's transaction; False when the id is known."""
    chat = (message.channel, message.account, message.external_chat_id)
    image_url = message.image_url or ""
    created = await connection.fetchval(
        sql("insert_outbound"),
        message.id,
        origin,
        owner.turn_id,
        owner.appeal_id,
        owner.client_id,
        *chat,
        message.text,
        image_url,
        now,
    )
    if created and owner.client_id is not None:
        media = Media(has_images=True, images=(Image(url=image_url),)) if image_url else Media()
        await connection.execute(
            sql("write_outbound_message"),
            owner.client_id,
            owner.appeal_id,
            *chat,
            "image" if image_url else "text",
            message.text,
            media.model_dump(mode="json", exclude_defaults=True),
            now,
            message.id,
        )
    return created is not None


async def get_delivery(executor: Executor, delivery_id: UUID) -> Delivery | None:
    """Where a message is, or None."""
    return _optional(await executor.fetchrow(sql("get_outbound"), delivery_id))


async def unqueued(executor: Executor, limit: int) -> list[Delivery]:
    """Accepted and not yet pushed to Redis, in the order of acceptance."""
    return [_delivery(row) for row in await executor.fetch(sql("unqueued"), limit)]


async def mark_queued(executor: Executor, ids: Sequence[UUID], *, now: datetime) -> None:
    """These were pushed to Redis."""
    await executor.execute(sql("mark_queued"), list(ids), now)


async def unqueue_stale(executor: Executor, *, before: datetime) -> int:
    """Give back to the relay what was pushed before then in chats at rest since: Redis may have lost it."""
    return len(await executor.fetch(sql("unqueue_stale"), before))


async def begin_sending(executor: Executor, delivery_id: UUID, *, now: datetime) -> Delivery | None:
    """The message to send now, or None: no such id, or it was sent or given up (see get_delivery)."""
    return _optional(await executor.fetchrow(sql("begin_sending"), delivery_id, now))


async def mark_sent(
    pool: Pool, delivery_id: UUID, vendor_ids: Sequence[str], *, now: datetime
) -> Delivery | None:
    """The vendor took it under these ids; the history row bears the first. None when there is no such id."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(sql("lock_chat_of_outbound"), delivery_id)
        row = await connection.fetchrow(sql("mark_sent"), delivery_id, list(vendor_ids), now)
        if row is not None and vendor_ids:
            await connection.execute(sql("forget_echoes"), delivery_id, list(vendor_ids))
            chat = (row["channel"], row["account"], row["external_chat_id"])
            await connection.execute(sql("name_sent_message"), delivery_id, vendor_ids[0], now, *chat)
    return _optional(row)


async def mark_failed(
    executor: Executor, delivery_id: UUID, *, code: str, detail: str, now: datetime, counted: bool = True
) -> Delivery | None:
    """It was not sent and will not be. None when it had been sent, or is not known.

    `counted` False takes the attempt back: it was not its turn, and nothing was tried.
    """
    return await _not_sent(executor, delivery_id, "failed", (code, detail, counted), now)


async def mark_unknown(
    executor: Executor, delivery_id: UUID, *, code: str, detail: str, now: datetime, counted: bool = True
) -> Delivery | None:
    """The vendor may have it: look before it is sent again. Else as mark_failed."""
    return await _not_sent(executor, delivery_id, "unknown", (code, detail, counted), now)


async def mark_retry(
    executor: Executor, delivery_id: UUID, *, code: str, detail: str, now: datetime, counted: bool = True
) -> Delivery | None:
    """The vendor certainly has it not: it may begin again. Else as mark_failed."""
    return await _not_sent(executor, delivery_id, "queued", (code, detail, counted), now)


async def _not_sent(
    executor: Executor, delivery_id: UUID, state: State, error: tuple[str, str, bool], now: datetime
) -> Delivery | None:
    code, detail, counted = error
    values = (state, storable(code), storable(detail), now, 0 if counted else 1)
    return _optional(await executor.fetchrow(sql("mark_not_sent"), delivery_id, *values))


def _same(delivery: Delivery, message: OutgoingMessage) -> bool:
    theirs = (
        message.channel,
        message.account,
        message.external_chat_id,
        message.text,
        message.image_url or "",
    )
    return theirs == (
        delivery.channel,
        delivery.account,
        delivery.external_chat_id,
        delivery.text,
        delivery.image_url,
    )


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery(**dict(row))


def _optional(row: asyncpg.Record | None) -> Delivery | None:
    return _delivery(row) if row is not None else None
