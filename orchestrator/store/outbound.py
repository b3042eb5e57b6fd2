"""The outbox: what we send, from its acceptance to the vendor's receipt.

    scheduled -- release_due --> queued          scheduled, queued (never begun) -- cancel --> cancelled
    queued -- begin_sending --> sending -- mark_sent --> sent --> delivered --> read
      ^                            |---- mark_failed --> failed -- reopen --> queued
      |---- mark_retry ------------|---- mark_unknown -> unknown -- mark_sent | mark_retry | mark_failed

An unknown message that is given up is looked at no more until an operator decides. A message begins while it
is not finished: also from `sending` (the worker before died) and `unknown`, where the vendor may have it
already. So every send carries the delivery's id as its idempotency key, and the channel looks before it
repeats. A late mark_sent wins over everything but a receipt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg

from core.errors import ConversationPaused, IdempotencyConflict
from core.ids import DEFAULT_ACCOUNT
from core.lanes import ANSWERS, PATIENT, SINGLES
from core.messages import File, Image, Media, OutgoingMessage
from orchestrator import ways
from orchestrator.clients import chat_key
from orchestrator.marks import delivery_is_erased
from orchestrator.pauses import Chat, pause_in_force
from orchestrator.rules import Rules
from orchestrator.store.errors import Erased
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable
from orchestrator.takeover import forget_words, operator_sent
from orchestrator.ways import Way

#: Who wrote that lately and has heard nothing since is waiting for an answer, whoever gives it.
WAITING = timedelta(hours=1)

Origin = Literal["reply", "tool", "rest", "list"]
State = Literal[
    "scheduled", "queued", "sending", "sent", "delivered", "read", "failed", "unknown", "cancelled"
]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way; `queued_at` is when it was pushed to Redis.

    `asked_channel` and `asked_chat` name the chat it was meant for, when that has no way back.
    """

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
    buttons: list[str] = field(default_factory=list)
    reply_to: str = ""
    file_url: str = ""
    file_kind: str = ""
    asked_channel: str = ""
    asked_chat: str = ""
    lane: int = 0
    flow: str = ""
    send_at: datetime | None = None
    given_up_at: datetime | None = None
    bulk_id: UUID | None = None
    sender: str = "agent"

    @property
    def is_settled(self) -> bool:
        """Whether an operator has decided that it was not sent, or sent its words anew."""
        return self.state == "failed" and self.given_up_at is not None

    def says(self, message: OutgoingMessage) -> bool:
        """Whether it has the very words, media, buttons and time of `message`."""
        own = (self.text, self.image_url, self.buttons, self.file_url, self.file_kind, self.send_at)
        return own == _content(message) and (bool(self.asked_channel) or self.reply_to == _quoted(message))

    def was_meant_for(self, message: OutgoingMessage) -> bool:
        """Whether it was to go to the chat of `message`, whichever way it went."""
        if self.asked_channel:
            return (self.asked_channel, self.asked_chat) == (message.channel, message.external_chat_id)
        chat = (self.channel, self.account, self.external_chat_id)
        return chat == (message.channel, message.account, message.external_chat_id)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`created` is False when the id had been accepted before."""

    delivery: Delivery
    created: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why it was not sent.

    `counted` False takes the attempt back: it was not its turn, and nothing was tried. `final`: nobody tries
    it any more, also when it stays unknown.
    """

    code: str
    detail: str = ""
    counted: bool = True
    final: bool = False


@dataclass(frozen=True, slots=True)
class OperatorSends:
    """A person writes through the hub: the conversation is theirs from now on."""

    by: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose message it is; nothing is known of a chat in which nobody has written yet.

    `asked` is (channel, chat) of the message that went another way. `waiting`: the customer spoke last.
    """

    client_id: int | None = None
    appeal_id: int | None = None
    turn_id: int | None = None
    asked: tuple[str, str] = ("", "")
    waiting: bool = False


async def insert_outbound(
    pool: Pool,
    message: OutgoingMessage,
    *,
    origin: Origin,
    now: datetime,
    way: Way | None = None,
    operator: OperatorSends | None = None,
) -> Accepted:
    """Accept a message that is not a reply; the same id again is the same delivery, whichever way it went.

    Raises IdempotencyConflict when the id was used for another message, ConversationPaused for the AI's words
    in a conversation that a person has (those of the list fail when they would be sent), and Erased for a
    message of somebody who was erased.
    """
    asked = (message.channel, message.account, message.external_chat_id)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(sql("lock_keys"), [chat_key(*asked), *(way.keys if way else ())])
        delivery, created = await get_delivery(connection, message.id), False
        if delivery is None and await delivery_is_erased(connection, message.id):
            raise Erased("The message was one of a client's who was erased.")
        if delivery is None:
            owner = await _owner(connection, asked, way, now)
            addressed = way.address(message) if way else message
            chat = (addressed.channel, addressed.account, addressed.external_chat_id)
            if origin != "list" and message.sender == "agent":
                await refuse_paused(connection, asked, chat, now=now)
            if operator is not None:
                await operator_sent(connection, chat, by=operator.by, rules=operator.rules, now=now)
            created = await accept(connection, addressed, owner, origin=origin, now=now)
            delivery = await get_delivery(connection, message.id)
    if delivery is None or not _same(delivery, message):
        raise IdempotencyConflict(channel=message.channel)
    return Accepted(delivery, created)


async def refuse_paused(executor: Executor, *chats: Chat, now: datetime) -> None:
    """ConversationPaused when a person has one of these conversations."""
    for chat in set(chats):
        if pause := await pause_in_force(executor, chat, now):
            said = f" {pause.reason}" if pause.reason else ""
            raise ConversationPaused(f"A person has this conversation.{said}", channel=chat[0])


async def _owner(
    connection: Connection, asked: tuple[str, str, str], way: Way | None, now: datetime
) -> Owner:
    """The client of the asked chat with their open case, which goes on where the way leads."""
    owner = await owner_of_chat(connection, asked, now)
    if owner.client_id is None or way is None:
        return owner
    appeal_id = await ways.go(connection, way, client_id=owner.client_id, appeal_id=owner.appeal_id, now=now)
    return replace(owner, appeal_id=appeal_id, asked=(asked[0], asked[2]))


async def owner_of_chat(connection: Connection, chat: tuple[str, str, str], now: datetime) -> Owner:
    """The client of a chat with their open case, and whether they wait for an answer."""
    row = await connection.fetchrow(sql("whose_chat"), *chat)
    if row is None:
        return Owner()
    waiting = row["sender"] == "customer" and now - row["created_at"] < WAITING
    return Owner(row["client_id"], row["appeal_id"], waiting=waiting)


def lane_of(origin: str, owner: Owner, *, bulk_id: UUID | None = None) -> tuple[int, str]:
    """Pure: how urgent a message is, and with which others it shares a window when it has time."""
    if bulk_id is not None:
        return PATIENT, str(bulk_id)
    if origin == "reply" or owner.waiting:
        return ANSWERS, ""
    return (PATIENT, origin) if origin == "list" else (SINGLES, "")


async def accept(
    connection: Connection, message: OutgoingMessage, owner: Owner, *, origin: Origin, now: datetime
) -> bool:
    """Write the outbox row and its history row, in the caller's transaction; False when the id is known."""
    chat = (message.channel, message.account, message.external_chat_id)
    created = await connection.fetchval(
        sql("insert_outbound"),
        message.id,
        origin,
        owner.turn_id,
        owner.appeal_id,
        owner.client_id,
        *chat,
        *_content(message),
        _quoted(message),
        *owner.asked,
        now,
        *lane_of(origin, owner),
        message.sender,
    )
    if created and not is_scheduled(message, now):
        await write_history(connection, message, owner, now)
    return created is not None


def is_scheduled(message: OutgoingMessage, now: datetime) -> bool:
    """Whether it waits for its time; what is late goes at once."""
    return message.send_at is not None and message.send_at > now


async def write_history(
    connection: Connection, message: OutgoingMessage, owner: Owner, now: datetime
) -> None:
    """What we say, in the history of the client; nothing when nobody has written there yet."""
    if owner.client_id is None:
        return
    kind, media = _media(message)
    await connection.execute(
        sql("write_outbound_message"),
        owner.client_id,
        owner.appeal_id,
        *(message.channel, message.account, message.external_chat_id),
        kind,
        message.text,
        media.model_dump(mode="json", exclude_defaults=True),
        {"buttons": list(message.buttons)} if message.buttons else {},
        message.reply_to,
        now,
        message.id,
        message.sender,
    )


async def get_delivery(executor: Executor, delivery_id: UUID) -> Delivery | None:
    """Where a message is, or None."""
    return optional_delivery(await executor.fetchrow(sql("get_outbound"), delivery_id))


async def begin_sending(executor: Executor, delivery_id: UUID, *, now: datetime) -> Delivery | None:
    """The message to send now; None: no such id, sent, given up or refused in a pause (see get_delivery)."""
    begun = optional_delivery(await executor.fetchrow(sql("begin_sending"), delivery_id, now))
    return begun if begun is not None and begun.state == "sending" else None


async def mark_sent(
    pool: Pool, delivery_id: UUID, vendor_ids: Sequence[str], *, now: datetime
) -> Delivery | None:
    """The vendor took it under these ids; the history row bears the first. None when there is no such id."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(sql("lock_chat_of_outbound"), delivery_id)
        row = await connection.fetchrow(sql("mark_sent"), delivery_id, list(vendor_ids), now)
        if row is not None and vendor_ids:
            chat = (row["channel"], row["account"], row["external_chat_id"])
            echoes = await connection.fetch(sql("forget_echoes"), delivery_id, list(vendor_ids))
            await forget_words(connection, chat, [one["external_message_id"] for one in echoes], now)
            await connection.execute(sql("name_sent_message"), delivery_id, vendor_ids[0], now, *chat)
            await _apply_early_receipts(connection, chat, vendor_ids, now)
    return optional_delivery(row)


async def _apply_early_receipts(
    connection: Connection, chat: tuple[str, str, str], vendor_ids: Sequence[str], now: datetime
) -> None:
    """What the vendor had told of these before it told us their ids."""
    for row in await connection.fetch(sql("take_early_receipts"), *chat, list(vendor_ids)):
        named = [[value] for value in (*chat, row["external_message_id"])]
        await connection.execute(sql("apply_receipts"), *named, row["state"], now)


async def mark_failed(
    executor: Executor, delivery_id: UUID, failure: Failure, *, now: datetime
) -> Delivery | None:
    """It was not sent and will not be. None when it had been sent, or is not known."""
    return await _not_sent(executor, delivery_id, "failed", failure, now)


async def mark_unknown(
    executor: Executor, delivery_id: UUID, failure: Failure, *, now: datetime
) -> Delivery | None:
    """The vendor may have it: look before it is sent again. Else as mark_failed."""
    return await _not_sent(executor, delivery_id, "unknown", failure, now)


async def mark_retry(
    executor: Executor, delivery_id: UUID, failure: Failure, *, now: datetime
) -> Delivery | None:
    """The vendor certainly has it not: it may begin again. Else as mark_failed."""
    return await _not_sent(executor, delivery_id, "queued", failure, now)


async def _not_sent(
    executor: Executor, delivery_id: UUID, state: State, failure: Failure, now: datetime
) -> Delivery | None:
    told = (state, storable(failure.code), storable(failure.detail), now)
    values = (*told, 0 if failure.counted else 1, failure.final)
    return optional_delivery(await executor.fetchrow(sql("mark_not_sent"), delivery_id, *values))


def _same(delivery: Delivery, message: OutgoingMessage) -> bool:
    """Meant for that chat, or already addressed to where it really goes, with the same content.

    The only account has a name of its own, which is not known at all times (account_names.py).
    """
    if DEFAULT_ACCOUNT in (delivery.account, message.account):
        message = message.model_copy(update={"account": delivery.account})
    there = (delivery.channel, delivery.account, delivery.external_chat_id)
    addressed = there == (message.channel, message.account, message.external_chat_id)
    return (addressed or delivery.was_meant_for(message)) and delivery.says(message)


def _content(message: OutgoingMessage) -> tuple[Any, ...]:
    file = (message.file_url or "", message.file_kind or "")
    return (message.text, message.image_url or "", list(message.buttons), *file, message.send_at)


def _quoted(message: OutgoingMessage) -> str:
    return message.reply_to or ""


def _media(message: OutgoingMessage) -> tuple[str, Media]:
    """What kind of message it is in the history, and its media there."""
    if message.image_url:
        return "image", Media(has_images=True, images=(Image(url=message.image_url),))
    if message.file_kind == "voice":
        return "voice", Media(has_voice=True, voice_url=message.file_url)
    if message.file_kind == "video":
        return "video", Media(has_video=True, videos=(File(url=message.file_url),))
    if message.file_kind == "document":
        return "document", Media(has_document=True, documents=(File(url=message.file_url),))
    return "text", Media()


def delivery_of(row: asyncpg.Record) -> Delivery:
    """A row of `outbound`."""
    return Delivery(**{name: row[name] for name in Delivery.__slots__})  # not what a newer schema adds


def optional_delivery(row: asyncpg.Record | None) -> Delivery | None:
    """A row of `outbound`, if there is one."""
    return delivery_of(row) if row is not None else None
