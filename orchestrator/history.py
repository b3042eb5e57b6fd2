"""messages_history: what a batch adds to it and changes in it, and how it is read back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from core.jsontext import write_json
from core.messages import IncomingMessage, Media
from orchestrator.batching import Batch, Item, taking_edits_as_messages, target_of
from orchestrator.cursors import BEGINNING
from orchestrator.media_rows import KeptFile, MessageKey, of_messages
from orchestrator.phones import is_e164
from orchestrator.store.pool import Connection, Executor
from orchestrator.store.queries import sql

#: event -> (direction, sender)
_SPEAKERS = {
    "message": ("in", "customer"),
    "postback": ("in", "customer"),
    "delete": ("in", "customer"),
    "reaction": ("in", "customer"),
    "operator_message": ("out", "operator"),
    "notice": ("in", "system"),
}
#: What either side does to a message.
_DEEDS = ("delete", "reaction")
_RECEIPTS = ("delivered", "read")
#: A NUL as JSON writes it, after an even number of backslashes; jsonb cannot hold it.
_JSON_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message of the history. The customer's words are data, never instructions.

    `delivery_state` is that of our own message ("" for others); a deleted message keeps its words here.
    `quoted` is what the message says that `reply_to` names, "" when we never saw it. `number` grows when the
    message is edited or deleted; `id` does not. `files` tells what became of those in
    `media`.
    """

    id: int
    direction: str
    sender: str
    event: str
    message_type: str
    text: str
    media: Media
    meta: dict[str, Any]
    reply_to: str
    external_message_id: str
    external_chat_id: str
    sent_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    outbound_id: UUID | None
    delivery_state: str
    quoted: str = ""
    number: int = 0
    files: tuple[KeptFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Novelty:
    """A batch against what the history has.

    `items` are to be added; `known` stand in the history already and carry what changed in them;
    `repeated_in` is the turn that has known messages of the batch.
    """

    batch: Batch
    items: tuple[Item, ...]
    known: tuple[Item, ...]
    receipts: tuple[IncomingMessage, ...]
    repeated_in: int | None

    @property
    def asks(self) -> list[Item]:
        """New messages that an agent should answer."""
        return [item for item in self.items if item.asks]

    @property
    def operator_words(self) -> list[IncomingMessage]:
        """What an operator wrote in the messenger's own app and nobody knew."""
        return [item.message for item in self.items if item.message.event == "operator_message"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the new messages of a batch belong; `user` is the client's handle there, None when unknown."""

    client_id: int
    appeal_id: int | None
    turn_id: int | None
    user: str | None


async def novelties(connection: Connection, batches: Sequence[Batch]) -> list[Novelty]:
    """What is new in each batch."""
    asked = [_key(batch, m) for batch in batches for m in batch.messages if m.event not in _RECEIPTS]
    rows = await connection.fetch(sql("known_messages"), *_columns(asked, 4)) if asked else []
    turn_of: dict[MessageKey, int | None] = {_key_of(row): row["turn_id"] for row in rows}
    operators = [_key(b, m) for b in batches for m in b.messages if m.event == "operator_message"]
    if operators:
        own = await connection.fetch(sql("our_own_messages"), *_columns(operators, 4))
        turn_of.update((_key_of(row), None) for row in own)
    return [novelty(batch, turn_of) for batch in batches]


def novelty(batch: Batch, turn_of: Mapping[MessageKey, int | None]) -> Novelty:
    """Pure: a batch against the known messages {key: turn}."""
    unknown = {target_of(change) for change in batch.changes if _key(batch, change) not in turn_of}
    batch = taking_edits_as_messages(batch, unknown)
    receipts = tuple(change for change in batch.changes if change.event in _RECEIPTS)
    changes = [_as_item(change) for change in batch.changes if change.event not in _RECEIPTS]
    items = [*batch.items, *changes]
    known = tuple(item for item in items if _key(batch, item.message) in turn_of)
    turns = [turn_of[_key(batch, item.message)] for item in known]
    return Novelty(
        batch,
        items=tuple(item for item in items if _key(batch, item.message) not in turn_of),
        known=known,
        receipts=receipts,
        repeated_in=max((turn for turn in turns if turn is not None), default=None),
    )


async def write(connection: Connection, news: Sequence[tuple[Novelty, Place]], now: datetime) -> None:
    """Add the new items and apply the changes, each kind in one statement."""
    rows = [
        (*_row(item, place), item.message.received_at, novelty.batch.gathered_at, novelty.batch.due_at)
        for novelty, place in news
        for item in novelty.items
    ]
    if rows:
        await connection.execute(sql("write_messages"), *_columns(rows, 22), now)


async def change(connection: Connection, news: Sequence[Novelty], now: datetime) -> None:
    """Apply edits, deletes, reactions and receipts to what the history knows."""
    known = [(_key(novelty.batch, item.message), item) for novelty in news for item in novelty.known]
    edits = [
        (*key, item.edited_at, item.text, _json(item.media), item.message_type)
        for key, item in known
        if item.edited_at
    ]
    deletes = [(*key, item.deleted_at) for key, item in known if item.deleted_at]
    reactions = [
        (*key, item.reaction) for key, item in known if item.reaction or item.message.event == "reaction"
    ]
    if edits:
        await connection.execute(sql("apply_edits"), *_columns(edits, 8))
    if deletes:
        await connection.execute(sql("apply_deletes"), *_columns(deletes, 5), now)
    if reactions:
        await connection.execute(sql("apply_reactions"), *_columns(reactions, 5))
    for state in _RECEIPTS:
        keys = [_key(n.batch, receipt) for n in news for receipt in n.receipts if receipt.event == state]
        if keys:
            await connection.execute(sql("apply_receipts"), *_columns(keys, 4), state, now)
            await connection.execute(sql("keep_early_receipts"), *_columns(keys, 4), state, now)


async def messages_of_turn(executor: Executor, turn_id: int, *, after: int = 0) -> list[MessageView]:
    """What the customer said in the turn, as it was written; said or changed after number `after`.

    Deleted messages bear deleted_at.
    """
    return await _views(executor, await executor.fetch(sql("messages_of_turn"), turn_id, after))


async def messages_of_appeal(executor: Executor, appeal_id: int, *, last: int) -> list[MessageView]:
    """The last messages of a case, oldest first."""
    rows = await executor.fetch(sql("messages_of_appeal"), appeal_id, last)
    return await _views(executor, rows[::-1])


async def messages_of_chat(
    executor: Executor, channel: str, account: str, chat_id: str, *, last: int, before: int = BEGINNING
) -> list[MessageView]:
    """The last messages of a chat with ids smaller than `before`, oldest first; whoever wrote them."""
    rows = await executor.fetch(sql("messages_of_chat"), channel, account, chat_id, last, before)
    return await _views(executor, rows[::-1])


async def last_of_appeals(executor: Executor, appeal_ids: Sequence[int]) -> dict[int, MessageView]:
    """The last message of each case that has one."""
    rows = await executor.fetch(sql("last_of_appeals"), list(appeal_ids))
    views = await _views(executor, rows)
    return {row["appeal_id"]: view for row, view in zip(rows, views, strict=True)}


async def messages_around(executor: Executor, turn_id: int, *, last: int) -> list[MessageView]:
    """The last messages of a turn's chat and case beside the turn: before it, or by others meanwhile."""
    rows = await executor.fetch(sql("messages_around_turn"), turn_id, last)
    return await _views(executor, rows[::-1])


async def _views(executor: Executor, rows: Sequence[asyncpg.Record]) -> list[MessageView]:
    files = await of_messages(executor, [row["id"] for row in rows if row["media"]])
    return [_view(row, files.get(row["id"], ())) for row in rows]


def _view(row: asyncpg.Record, files: tuple[KeptFile, ...]) -> MessageView:
    return MessageView(
        id=row["id"],
        direction=row["direction"],
        sender=row["sender"],
        event=row["event"],
        message_type=row["message_type"],
        text=row["message_text"],
        media=Media.model_validate(row["media"]),
        meta=row["meta"],
        reply_to=row["reply_to"] or "",
        external_message_id=row["external_message_id"] or "",
        external_chat_id=row["external_chat_id"],
        sent_at=row["sent_at"],
        edited_at=row["edited_at"],
        deleted_at=row["deleted_at"],
        outbound_id=row["outbound_id"],
        delivery_state=row["state"] or "",
        quoted=row.get("quoted") or "",
        number=max(row["id"], row.get("change_id") or 0),
        files=files,
    )


def _key(batch: Batch, message: IncomingMessage) -> MessageKey:
    return (batch.channel, batch.account, batch.external_chat_id, target_of(message))


def _key_of(row: asyncpg.Record) -> MessageKey:
    return (row["channel"], row["account"], row["external_chat_id"], row["external_message_id"])


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(width)]


def _as_item(change: IncomingMessage) -> Item:
    """A change of an earlier message, seen alone."""
    at = change.timestamp
    return Item(
        change,
        change.text,
        change.media,
        edited_at=at if change.event == "edit" else None,
        deleted_at=at if change.event == "delete" else None,
        reaction=change.text if change.event == "reaction" else "",
    )


def _row(item: Item, place: Place) -> tuple[Any, ...]:
    message = item.message
    by_us = message.own and message.event in _DEEDS
    direction, sender = _SPEAKERS["operator_message" if by_us else message.event]
    return (
        place.client_id,
        place.appeal_id,
        place.turn_id if item.asks else None,
        message.channel,
        message.account,
        message.external_chat_id,
        _stored_id(message),
        direction,
        sender,
        message.event,
        item.message_type,
        item.text,
        _json(item.media),
        _meta(item, by_another=sender == "customer" and place.user not in (None, message.external_user_id)),
        message.reply_to,
        message.timestamp,
        item.edited_at,
        item.deleted_at,
        place.user,
    )


def _stored_id(message: IncomingMessage) -> str:
    """A reaction to a message we never saw must not stand where that message would."""
    if message.event == "reaction":
        return f"reaction:{target_of(message)}:{message.timestamp.isoformat()}"
    return message.external_message_id


def _meta(item: Item, *, by_another: bool) -> str:
    message = item.message
    meta = message.meta.model_dump(mode="json", exclude_defaults=True)
    if message.client_phone and not is_e164(message.client_phone):
        meta["client_phone"] = message.client_phone
    if message.event_key:
        meta["event_key"] = message.event_key
    if message.spooled:
        meta["spooled"] = True
    if item.reaction:
        meta["reaction"] = item.reaction
    if by_another:
        meta["author"] = message.external_user_id
    return _JSON_NUL.sub(r"\1", write_json(meta))


def _json(media: Media) -> str:
    return _JSON_NUL.sub(r"\1", media.model_dump_json(exclude_defaults=True))
