"""What an operator decides about a message: not to send it, or what became of one nobody knows of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from orchestrator.cursors import BEGINNING
from orchestrator.store.outbound import (
    Accepted,
    Delivery,
    Owner,
    State,
    accept,
    delivery_of,
    get_delivery,
    optional_delivery,
    refuse_paused,
)
from orchestrator.store.outbox import message_of
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable

#: Why a message stands as failed that an operator has settled.
NOT_SENT, RESENT = "settled_not_sent", "resent"


async def cancel(pool: Pool, delivery_id: UUID, *, now: datetime) -> Delivery | None:
    """Not to be sent; None when it has begun, is finished, or answers a turn."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(sql("cancel_outbound"), delivery_id, now)
        if row is not None:
            await connection.execute(sql("forget_unsent"), [delivery_id])
    return optional_delivery(row)


async def settle(
    executor: Executor, delivery_id: UUID, outcome: Literal["sent", "not_sent"], *, by: str, now: datetime
) -> Delivery | None:
    """Write down what became of it, as somebody has seen; None unless it is unknown and given up."""
    if outcome == "sent":
        return await _settled(executor, delivery_id, ("sent", "", ""), now)
    return await _settled(executor, delivery_id, ("failed", NOT_SENT, f"settled by {by}"), now)


async def resend(pool: Pool, delivery_id: UUID, *, by: str, now: datetime) -> Accepted | None:
    """Send its words anew, as a message of its own: the customer may see them twice, and somebody wants that.

    None unless it is unknown and given up; asked again, it is the same new message. Raises ConversationPaused
    for the AI's words while a person has the conversation.
    """
    new_id = uuid5(NAMESPACE_URL, f"resend|{delivery_id}")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(sql("lock_chat_of_outbound"), delivery_id)
        why: tuple[State, str, str] = ("failed", RESENT, f"as {new_id} by {by}")
        settled = await _settled(connection, delivery_id, why, now)
        if settled is not None:
            await _accept_anew(connection, settled, new_id, now)
        found = await get_delivery(connection, new_id)
    return Accepted(found, settled is not None) if found is not None else None


class Of(NamedTuple):
    """Whose messages; what is empty does not matter."""

    channel: str = ""
    account: str = ""
    appeal_id: int | None = None


async def listed(
    executor: Executor,
    state: State,
    *,
    of: Of,
    before: int = BEGINNING,
    limit: int,
) -> Sequence[Delivery]:
    """Messages in a state, the latest first; `before` is the seq of the last one of the page before."""
    place = (of.channel, of.account, before, limit, of.appeal_id)
    rows = await executor.fetch(sql("list_outbound"), state, *place)
    return [delivery_of(row) for row in rows]


async def _settled(
    executor: Executor, delivery_id: UUID, outcome: tuple[State, str, str], now: datetime
) -> Delivery | None:
    state, code, detail = outcome
    values = (state, code, storable(detail), now)
    return optional_delivery(await executor.fetchrow(sql("settle_outbound"), delivery_id, *values))


async def _accept_anew(connection: Connection, old: Delivery, new_id: UUID, now: datetime) -> None:
    message = message_of(old).model_copy(update={"id": new_id, "send_at": None})
    if message.sender == "agent":
        await refuse_paused(connection, (old.channel, old.account, old.external_chat_id), now=now)
    owner = Owner(old.client_id, old.appeal_id)
    await accept(connection, message, owner, origin="rest", now=now)
