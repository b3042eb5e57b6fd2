"""The outbox as a queue: what may go now, what has to go before it, and what Redis may have lost.

The order of a chat is that of `outbound.seq`, the order of acceptance, whichever door a message came by. A
*ticket* in Redis only says that a message may go: whoever holds the chat's lease sends everything that was
accepted before it first.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from core.chats import explain
from core.errors import Rejected
from core.lanes import ANSWERS
from core.messages import Account, Channel, Chat, OutgoingMessage
from orchestrator.store.outbound import (
    Delivery,
    Owner,
    delivery_of,
    lane_of,
    optional_delivery,
    owner_of_chat,
    write_history,
)
from orchestrator.store.pool import Connection, Executor
from orchestrator.store.queries import sql
from orchestrator.store.text import storable


class Ticket(BaseModel):
    """A message that may go now; no word of it. The order of the fields is that of core/lua/envelope.lua."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    channel: Channel
    account: Account
    external_chat_id: Chat
    lane: int = ANSWERS


@dataclass(frozen=True, slots=True)
class Window:
    """How much of the outbox is on its way at a time: tickets per look, and patient ones of each flow."""

    at_once: int = 200
    patient: int = 8


async def release_due(connection: Connection, *, now: datetime, limit: int) -> int:
    """Let what was scheduled take its place now; it becomes history of the case that is open now."""
    due = [delivery_of(row) for row in await connection.fetch(sql("release_due"), now, limit)]
    for delivery in sorted(due, key=lambda one: one.seq):
        chat = (delivery.channel, delivery.account, delivery.external_chat_id)
        owner = await owner_of_chat(connection, chat, now)
        if owner.client_id is None:
            owner = Owner(delivery.client_id, delivery.appeal_id)
        lane, flow = lane_of(delivery.origin, owner, bulk_id=delivery.bulk_id)
        owned = (owner.client_id, owner.appeal_id, lane, flow)
        await connection.execute(sql("own_released"), delivery.id, *owned)
        with suppress(Rejected):  # it is no history, for it will not be sent (deliver.py)
            await write_history(connection, message_of(delivery), owner, now)
    return len(due)


async def unqueued(executor: Executor, window: Window) -> list[Ticket]:
    """Accepted and not yet pushed to Redis, the urgent first."""
    rows = await executor.fetch(sql("unqueued"), window.at_once, window.patient)
    return [Ticket.model_validate(dict(row)) for row in rows]


async def mark_queued(executor: Executor, ids: Sequence[UUID], *, now: datetime) -> None:
    """Their tickets were pushed to Redis."""
    await executor.execute(sql("mark_queued"), list(ids), now)


async def unqueue_stale(executor: Executor, *, before: datetime) -> int:
    """Give back to the relay what was pushed before then in chats at rest since: Redis may have lost it."""
    return len(await executor.fetch(sql("unqueue_stale"), before))


async def reopen(executor: Executor, delivery_id: UUID, *, now: datetime) -> Delivery | None:
    """Let it be tried (again); None when it is finished or not known."""
    return optional_delivery(await executor.fetchrow(sql("reopen"), delivery_id, now))


async def head_of_chat(executor: Executor, delivery_id: UUID) -> Delivery | None:
    """What goes next of that message's chat, up to that message; None when all of it is finished."""
    return optional_delivery(await executor.fetchrow(sql("head_of_chat"), delivery_id))


async def note_wait(executor: Executor, delivery_id: UUID, *, code: str, detail: str, now: datetime) -> None:
    """Say why it waits although nothing was tried."""
    await executor.execute(sql("note_wait"), delivery_id, storable(code), storable(detail), now)


def message_of(delivery: Delivery) -> OutgoingMessage:
    """The message as it is sent; Rejected when an older version accepted what this one refuses."""
    try:
        return OutgoingMessage.model_validate(said_by(delivery))
    except ValidationError as error:
        raise Rejected(explain(error), channel=delivery.channel) from error


def said_by(delivery: Delivery) -> dict[str, Any]:
    """What the message holds, whether or not it can be sent."""
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "account": delivery.account,
        "external_chat_id": delivery.external_chat_id,
        "text": delivery.text,
        "image_url": delivery.image_url or None,
        "file_url": delivery.file_url,
        "file_kind": delivery.file_kind,
        "buttons": delivery.buttons,
        "reply_to": delivery.reply_to,
        "send_at": delivery.send_at,
        "sender": delivery.sender,
    }
