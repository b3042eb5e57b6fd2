"""Marks of who was erased: what was written before comes in no more, whichever way it comes once more.

A spool that drains late, a webhook that is repeated, a vendor's history that the gap sweep reads: the batch
resolves to nothing. What the same person writes after the erasure is a stranger's first message.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from core.messages import IncomingMessage
from orchestrator.batching import Batch
from orchestrator.clients import chat_key, handle_key
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql

log = structlog.get_logger()


async def without_erased(connection: Connection, batches: Sequence[Batch]) -> list[Batch]:
    """The batches without what was written before its author was erased; under the locks of their chats."""
    names = {name for batch in batches for name in _names(batch)}
    rows = await connection.fetch(sql("erased_names"), sorted(names))
    if not rows:
        return list(batches)
    erased = {row["name"]: row["erased_at"] for row in rows}
    return [_later(batch, erased) for batch in batches]


async def delivery_is_erased(connection: Connection, delivery_id: object) -> bool:
    """Whether this message was one of somebody's who was erased."""
    return bool(await connection.fetch(sql("erased_names"), [f"delivery|{delivery_id}"]))


def _names(batch: Batch) -> set[str]:
    return {name for message in batch.messages for name in _named(message)}


def _named(message: IncomingMessage) -> tuple[str, str]:
    place = (message.channel, message.account)
    return (
        chat_key(*place, message.external_chat_id),
        handle_key(*place, message.external_user_id),
    )


def _later(batch: Batch, erased: dict[str, datetime]) -> Batch:
    """Pure: what of a batch was written after the erasures."""

    def is_later(message: IncomingMessage) -> bool:
        return all(erased[name] < message.timestamp for name in _named(message) if name in erased)

    items = tuple(item for item in batch.items if is_later(item.message))
    changes = tuple(change for change in batch.changes if is_later(change))
    dropped = len(batch.items) + len(batch.changes) - len(items) - len(changes)
    if dropped:
        log.info("erased_words_dropped", channel=batch.channel, account=batch.account, messages=dropped)
    return replace(batch, items=items, changes=changes)
