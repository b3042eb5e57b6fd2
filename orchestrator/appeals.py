"""Appeals (support cases): a client has at most one that is not resolved per channel and account.

What leads from one state to the next stands in appeal_states.py, and docs/appeals.md draws it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from core.errors import BadCursor
from orchestrator.appeal_states import STATUSES, Status
from orchestrator.batching import Batch
from orchestrator.clients import Client, get_client
from orchestrator.history import MessageView, messages_of_appeal
from orchestrator.store.pool import Connection, Executor
from orchestrator.store.queries import sql

_MOST_LISTED = 200
#: These may be absent; an absent text is "".
_TIMES = ("closed_at", "snoozed_until", "reopened_at")
_BEGINNING = (datetime.max.replace(tzinfo=UTC), 2**63 - 1)

#: (client_id, channel, account)
AppealKey = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Appeal:
    """A case; `external_chat_id` is the chat of its latest message."""

    id: int
    client_id: int
    client_name: str
    channel: str
    account: str
    external_chat_id: str
    status: Status
    ad_id: str
    ad_title: str
    ad_price: str
    ad_url: str
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    close_reason: str
    priority: str = "normal"
    tags: list[str] = field(default_factory=list)
    snoozed_until: datetime | None = None
    reopened_at: datetime | None = None
    reopen_count: int = 0


@dataclass(frozen=True, slots=True)
class AppealView:
    """A case with its client and its last messages, oldest first."""

    appeal: Appeal
    client: Client
    messages: list[MessageView]


@dataclass(frozen=True, slots=True)
class AppealPage:
    """Latest change first; `next_cursor` is "" on the last page."""

    appeals: list[Appeal]
    next_cursor: str


async def get_appeal(executor: Executor, appeal_id: int, *, last: int = 50) -> AppealView | None:
    """The case, or None."""
    appeal = await find_appeal(executor, appeal_id)
    client = await get_client(executor, appeal.client_id) if appeal else None
    if appeal is None or client is None:
        return None
    return AppealView(appeal, client, await messages_of_appeal(executor, appeal_id, last=last))


async def find_appeal(executor: Executor, appeal_id: int) -> Appeal | None:
    """The case alone, or None."""
    row = await executor.fetchrow(sql("get_appeal"), appeal_id)
    return _from(row) if row else None


async def list_appeals(
    executor: Executor,
    *,
    status: str | None = None,
    channel: str | None = None,
    limit: int = 50,
    cursor: str = "",
) -> AppealPage:
    """A page of cases. Raises BadCursor, and ValueError for a status that there is not."""
    if status is not None and status not in STATUSES:
        raise ValueError(f"unknown status {status[:40]!r}; known: {', '.join(STATUSES)}")
    size = max(1, min(limit, _MOST_LISTED))
    statuses = STATUSES if status is None else (status,)
    rows = await executor.fetch(sql("list_appeals"), statuses, channel, *_place(cursor), size + 1)
    appeals = [_from(row) for row in rows[:size]]
    return AppealPage(appeals, _cursor(appeals[-1]) if len(rows) > size else "")


async def open_or_touch(
    connection: Connection,
    batches: Sequence[tuple[int, Batch]],
    now: datetime,
    *,
    reopen_within: timedelta,
) -> dict[AppealKey, int]:
    """The open case of each (client, batch), opened (again) where there is none, its chat and ad noted."""
    wanted = {(client_id, batch.channel, batch.account): batch for client_id, batch in batches}
    if not wanted:
        return {}
    rows = await connection.fetch(
        sql("open_or_touch_appeals"),
        *_key_columns(wanted),
        [batch.external_chat_id for batch in wanted.values()],
        *zip(*(_ad(batch) for batch in wanted.values()), strict=True),
        now,
        now - reopen_within,
    )
    return {_key(row): row["id"] for row in rows}


async def find_open(connection: Connection, keys: Iterable[AppealKey]) -> dict[AppealKey, int]:
    """The open cases among `keys`."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = await connection.fetch(sql("open_appeals"), *_key_columns(wanted))
    return {_key(row): row["id"] for row in rows}


def _from(row: asyncpg.Record) -> Appeal:
    values: dict[str, Any] = {name: "" if value is None else value for name, value in row.items()}
    return Appeal(**values | {name: row[name] for name in _TIMES})


def _key(row: asyncpg.Record) -> AppealKey:
    return (row["client_id"], row["channel"], row["account"])


def _key_columns(keys: Iterable[AppealKey]) -> list[list[int | str]]:
    rows = list(keys)
    return [[row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]]


def _ad(batch: Batch) -> tuple[str | None, str | None, str | None, str | None]:
    """(id, title, price, url) of the ad: the latest message that names one, else what the chat tells."""
    context = batch.context
    for item in reversed(batch.items):
        meta = item.message.meta
        if meta.ad_id or meta.ad_title or meta.ad_url:
            same = not meta.ad_id or meta.ad_id == context.ad_id
            return (
                meta.ad_id or context.ad_id or None,
                meta.ad_title or (same and context.ad_title) or None,
                meta.ad_price or (same and context.ad_price) or None,
                meta.ad_url or (same and context.ad_url) or None,
            )
    return (context.ad_id or None, context.ad_title or None, context.ad_price or None, context.ad_url or None)


def _cursor(appeal: Appeal) -> str:
    return f"{appeal.updated_at.isoformat()}|{appeal.id}"


def _place(cursor: str) -> tuple[datetime, int]:
    if not cursor:
        return _BEGINNING
    at, _, appeal_id = cursor.rpartition("|")
    try:
        place = datetime.fromisoformat(at).astimezone(UTC), int(appeal_id)
    except (ValueError, OverflowError):
        place = None
    if place is None or not 0 < place[1] < _BEGINNING[1]:
        raise BadCursor
    return place
