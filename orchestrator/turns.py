"""Turns: what a customer wrote, offered to one agent at a time and answered at most once.

    ready -- lease_next_turns -> leased -- commit_reply ----> answered
      ^                           |  |--- commit_silence --> closed
      |-- release, put_back ------|  (an expired lease is leased again, with the next token)

A message that comes while the turn is leased opens a newer turn, which waits: one turn of a chat is worked
on at a time. A commit that has not seen the newer messages is refused (`Seen`): they move into the leased
turn (the newer one is `merged`) and are in the answer. So is one that has not seen how messages of the turn
were edited or deleted.

A commit compares the lease's token, the only proof of a lease: who leases the turn next takes the next token,
and no older one can commit any more. Who holds the last one may commit even after the lease ran out: the work
is done and nobody else was promised it (docs/decisions/0015-in-flight.md).

When a person takes the conversation over (takeover.py), a leased turn is taken back and its agent is told;
a turn that the person has answered is `handled`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg

from core.messages import OutgoingMessage
from orchestrator import ways
from orchestrator.appeals import Appeal, find_appeal
from orchestrator.clients import Client, chat_key, get_client
from orchestrator.history import MessageView, messages_around, messages_of_turn
from orchestrator.pauses import pause_in_force
from orchestrator.store.outbound import Owner, accept, get_delivery, refuse_paused
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable
from orchestrator.taken import TakenOver, give_turn_up, taken_over
from orchestrator.ways import Way

_FINISHED = ("answered", "closed")
#: Agents give ids back as text; what is larger is none of ours.
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Turn:
    """A row of `turns`."""

    id: int
    appeal_id: int
    client_id: int
    channel: str
    account: str
    external_chat_id: str
    status: str
    first_at: datetime
    last_at: datetime
    closed_by: str
    created_at: datetime
    lease_token: int
    leased_by: str | None
    leased_until: datetime | None
    attempts: int
    latest_message_id: int | None
    committed_at: datetime | None
    outbound_id: UUID | None
    taken_token: int | None = None

    @property
    def chat(self) -> tuple[str, str, str]:
        return (self.channel, self.account, self.external_chat_id)

    @property
    def chat_key(self) -> str:
        """The name of its chat's lock."""
        return chat_key(*self.chat)


@dataclass(frozen=True, slots=True)
class Lease:
    """Proof that a turn is yours: its id and the token of the last lease."""

    turn_id: int
    token: int


@dataclass(frozen=True, slots=True)
class LeasedTurn:
    """A turn that an agent now works on."""

    turn: Turn
    leased_until: datetime

    @property
    def lease(self) -> Lease:
        return Lease(self.turn.id, self.turn.lease_token)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the agent has seen when it commits.

    `message_id` is the number of the latest message, or change of one, that it was shown; a commit that has
    not seen the turn's latest is refused, also when the answer that brought it was lost on the way. None
    trusts the agent. `force` asks nothing. `collect` leaves newer messages to a turn after this one; a change
    of this turn's own messages would be in none, so it is asked for all the same.
    """

    message_id: int | None = None
    force: bool = False
    collect: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What the agent answers; `outbound_id` names the delivery (a new one when None).

    `way` leads to the client when the turn's own channel has no way back.
    """

    text: str
    image_url: str = ""
    outbound_id: UUID | None = None
    seen: Seen = Seen()
    file_url: str = ""
    file_kind: str = ""
    buttons: tuple[str, ...] = ()
    reply_to: str = ""
    way: Way | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The turn is finished; `outbound_id` is None when it was closed in silence."""

    outbound_id: UUID | None


@dataclass(frozen=True, slots=True)
class Superseded:
    """Nothing was sent: the customer wrote on, or changed what was said. The turn is still yours.

    `new_messages` are those that are new in it or changed, `latest` is what has been seen with them.
    """

    new_messages: list[MessageView]
    latest: int


@dataclass(frozen=True, slots=True)
class StaleLease:
    """Nothing was sent: the turn is not yours any more (or never was)."""


@dataclass(frozen=True, slots=True)
class AlreadyAnswered:
    """You have answered this turn before; `same` tells whether with these very words."""

    outbound_id: UUID | None
    same: bool


Outcome: TypeAlias = Committed | Superseded | StaleLease | AlreadyAnswered | TakenOver


@dataclass(frozen=True, slots=True)
class TurnView:
    """All that an agent needs; messages and history oldest first."""

    turn: Turn
    client: Client
    appeal: Appeal
    messages: list[MessageView]
    history: list[MessageView]


async def lease_next_turn(
    pool: Pool, *, agent: str, lease_seconds: float, now: datetime
) -> LeasedTurn | None:
    """The oldest turn that waits or whose lease ran out, now this agent's; None when there is none."""
    leased = await lease_next_turns(pool, [agent], lease_seconds=lease_seconds, now=now)
    return leased[0] if leased else None


async def lease_next_turns(
    pool: Pool, agents: Sequence[str], *, lease_seconds: float, now: datetime, turn_id: int | None = None
) -> list[LeasedTurn]:
    """A turn for each agent in their order, or for the first of them only when fewer wait.

    With `turn_id` no other one is looked for. A turn that was offered before takes in what has been written
    since.
    """
    until = now + timedelta(seconds=lease_seconds)
    names = [storable(agent) for agent in agents]
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(sql("lease_next_turns"), names, now, until, turn_id)
        rows.sort(key=lambda row: row["place"])
        return [LeasedTurn(await _grown(connection, _turn(row), now), until) for row in rows]


async def _grown(connection: Connection, turn: Turn, now: datetime) -> Turn:
    """A turn that was offered before, with what has been written since."""
    if turn.attempts == 1 or not await connection.fetchval(sql("try_chat_lock"), turn.chat_key):
        return turn
    await connection.execute(sql("absorb_newer_turn"), turn.id, now, *turn.chat)
    return await get_turn(connection, turn.id) or turn


async def extend(executor: Executor, lease: Lease, *, lease_seconds: float, now: datetime) -> datetime | None:
    """Keep the turn that long from now; when the lease ends then, or None when it is not yours."""
    if lease.token > _LARGEST_ID:
        return None
    until = now + timedelta(seconds=lease_seconds)
    ends: datetime | None = await executor.fetchval(sql("extend_lease"), lease.turn_id, lease.token, until)
    return ends


async def release(pool: Pool, lease: Lease, *, now: datetime) -> bool:
    """Give the turn back to be offered again, together with what was written since; False: not yours."""
    return await _return(pool, lease, now=now, since=now)


async def put_back(pool: Pool, turn: LeasedTurn, *, now: datetime) -> bool:
    """Undo a lease that its agent never heard of: the turn waits again where it had waited."""
    return await _return(pool, turn.lease, now=now, since=turn.turn.created_at)


async def _return(pool: Pool, lease: Lease, *, now: datetime, since: datetime) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        turn = await locked_turn(connection, lease)
        if turn is None or turn.status != "leased":
            return False
        await connection.execute(sql("absorb_newer_turn"), turn.id, now, *turn.chat)
        await connection.execute(sql("return_turn"), turn.id, since)
    return True


async def commit_reply(pool: Pool, lease: Lease, reply: Reply, *, now: datetime) -> Outcome:
    """Answer the turn: the turn's end, the outbox row and the history row are one transaction.

    Raises pydantic's ValidationError (a ValueError) for a reply that says nothing, or says too much, and
    ConversationPaused when a person has the other conversation to which the way leads.
    """
    async with pool.acquire() as connection, connection.transaction():
        return await _committed(connection, lease, reply, now)


async def rehearse_reply(pool: Pool, lease: Lease, reply: Reply, *, now: datetime) -> Outcome:
    """What commit_reply would say now, of the very same checks; nothing is kept. Raises as it does."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            return await _committed(connection, lease, reply, now)
        finally:
            await transaction.rollback()


async def _committed(connection: Connection, lease: Lease, reply: Reply, now: datetime) -> Outcome:
    turn = await locked_turn(connection, lease, reply.way)
    if turn is None:
        return await not_yours(connection, lease, now)
    message = _outgoing(turn, reply)
    if turn.status in _FINISHED:
        return await _already(connection, turn, message)
    if await pause_in_force(connection, turn.chat, now):
        await give_turn_up(connection, turn.id, turn.chat, now)
        return await taken_over(connection, turn.id, turn.chat, now)
    if reply.way is not None:
        await refuse_paused(connection, reply.way.chat, now=now)
    if superseded := await _superseded(connection, turn, reply.seen, now):
        return superseded
    await _accept(connection, turn, message, reply.way, now)
    await connection.execute(sql("finish_turn"), turn.id, "answered", now, message.id)
    return Committed(message.id)


async def _accept(
    connection: Connection, turn: Turn, message: OutgoingMessage, way: Way | None, now: datetime
) -> None:
    """Put the reply into the outbox, and let the case go on where it leads."""
    owner = Owner(turn.client_id, turn.appeal_id, turn.id)
    if way is not None:
        appeal_id = await ways.go(
            connection, way, client_id=turn.client_id, appeal_id=turn.appeal_id, now=now
        )
        owner = replace(owner, appeal_id=appeal_id, asked=(turn.channel, turn.external_chat_id))
        message = way.address(message)
    await accept(connection, message, owner, origin="reply", now=now)
    agent = turn.leased_by or "agent"
    await connection.execute(sql("answer_appeal"), owner.appeal_id, now, agent, turn.id)


async def commit_silence(pool: Pool, lease: Lease, *, seen: Seen | None = None, now: datetime) -> Outcome:
    """Close the turn: no reply is needed. Under the same rules as a reply; repeating it is harmless."""
    async with pool.acquire() as connection, connection.transaction():
        turn = await locked_turn(connection, lease)
        if turn is None:
            return await not_yours(connection, lease, now)
        if turn.status == "answered":
            return AlreadyAnswered(turn.outbound_id, same=False)
        if turn.status == "leased":
            if superseded := await _superseded(connection, turn, seen or Seen(), now):
                return superseded
            await connection.execute(sql("finish_turn"), turn.id, "closed", now, None)
    return Committed(None)


async def get_turn(executor: Executor, turn_id: int) -> Turn | None:
    """The turn, or None."""
    row = await executor.fetchrow(sql("get_turn"), turn_id)
    return _turn(row) if row is not None else None


async def turn_view(executor: Executor, turn_id: int, *, last: int = 20) -> TurnView | None:
    """The turn with its client, case, messages and the `last` messages said beside it; None: no such turn."""
    turn = await get_turn(executor, turn_id)
    if turn is None:
        return None
    client = await get_client(executor, turn.client_id)
    appeal = await find_appeal(executor, turn.appeal_id)
    if client is None or appeal is None:
        return None
    messages = await messages_of_turn(executor, turn.id)
    history = await messages_around(executor, turn.id, last=last)
    return TurnView(turn, client, appeal, messages, history)


async def locked_turn(
    connection: Connection, lease: Lease, way: Way | None = None, *, with_client: bool = False
) -> Turn | None:
    """The turn of this lease, leased or finished by it, with its chats locked; None: the lease is stale.

    `with_client`, and with a way: its client is locked as well, before it.
    """
    turn = await get_turn(connection, lease.turn_id) if way is not None else None
    if turn is not None and way is not None:
        await connection.execute(sql("lock_keys"), [turn.chat_key, *way.keys])
    else:
        await connection.execute(sql("lock_chat_of_turn"), lease.turn_id)
    if way is not None or with_client:
        await connection.execute(sql("lock_client_of_turn"), lease.turn_id)
    row = await connection.fetchrow(sql("get_turn_for_update"), lease.turn_id)
    if row is None or row["lease_token"] != lease.token or row["status"] not in ("leased", *_FINISHED):
        return None
    return _turn(row)


async def not_yours(connection: Connection, lease: Lease, now: datetime) -> StaleLease | TakenOver:
    """Why a lease is no more: a person has taken the conversation over, or anything else."""
    turn = await get_turn(connection, lease.turn_id)
    if turn is None or turn.taken_token != lease.token:
        return StaleLease()
    return await taken_over(connection, turn.id, turn.chat, now)


async def _superseded(connection: Connection, turn: Turn, seen: Seen, now: datetime) -> Superseded | None:
    """What the agent was not shown, if anything; a newer turn is taken in on the way.

    What came and was deleted again without being seen is nothing.
    """
    if seen.force:
        return None
    if not seen.collect:
        await connection.execute(sql("absorb_newer_turn"), turn.id, now, *turn.chat)
    shown = turn.latest_message_id if seen.message_id is None else seen.message_id
    shown = min(shown or 0, _LARGEST_ID)
    unseen = await messages_of_turn(connection, turn.id, after=shown)
    told = [message for message in unseen if message.deleted_at is None or message.id <= shown]
    return Superseded(told, max(message.number for message in unseen)) if told else None


async def _already(connection: Connection, turn: Turn, message: OutgoingMessage) -> AlreadyAnswered:
    delivery = await get_delivery(connection, turn.outbound_id) if turn.outbound_id else None
    return AlreadyAnswered(turn.outbound_id, same=delivery is not None and delivery.says(message))


def _outgoing(turn: Turn, reply: Reply) -> OutgoingMessage:
    given = {
        "id": reply.outbound_id,
        "channel": turn.channel,
        "account": turn.account,
        "external_chat_id": turn.external_chat_id,
        "text": reply.text,
        "image_url": reply.image_url or None,
        "file_url": reply.file_url,
        "file_kind": reply.file_kind,
        "buttons": reply.buttons,
        "reply_to": reply.reply_to,
    }
    return OutgoingMessage.model_validate(given)


def _turn(row: asyncpg.Record) -> Turn:
    return Turn(**{name: row[name] for name in Turn.__slots__})  # not what a newer schema adds
