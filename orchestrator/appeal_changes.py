"""What changes a case beside its messages: its status by the drawn arrows, its priority, tags and notes.

Whoever changes a status holds the rows of the client and of the case, so a message that comes at the same
time sees what was decided: a resolved case is reopened rather than doubled.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from core.errors import StateConflict
from orchestrator.appeal_states import Event, Status, after
from orchestrator.appeals import Appeal, find_appeal
from orchestrator.cursors import BEGINNING
from orchestrator.store.pool import Connection, Executor, Pool
from orchestrator.store.queries import sql
from orchestrator.store.text import storable

Priority = Literal["low", "normal", "high", "urgent"]
MOST_TAGS = 20
LONGEST_TAG = 40
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Step:
    """One event in the life of a case: who made it and why. `until` belongs to `snooze`."""

    event: Event
    by: str = ""
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """What is said about a case; None and nothing leave it as it is."""

    priority: Priority | None = None
    add_tags: Collection[str] = ()
    remove_tags: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the journal."""

    id: int
    at: datetime
    actor: str
    event: str
    from_status: str
    to_status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a colleague noted; never sent to anybody."""

    id: int
    at: datetime
    author: str
    text: str


async def change(connection: Connection, appeal_id: int, step: Step, now: datetime) -> Status | None:
    """Do the step in the caller's transaction; the status from then on, None when there is no such case.

    Raises StateConflict for a step that is not drawn, and when reopening would make two cases of one client.
    """
    await connection.execute(sql("lock_client_of_appeal"), appeal_id)
    status: Status | None = await connection.fetchval(sql("lock_appeal"), appeal_id)
    if status is None:
        return None
    to = after(status, step.event)
    if to == status and step.event != "snooze":
        return to
    reason = storable(step.reason)[:_LONGEST_REASON]
    values = (status, to, step.event, storable(step.by), reason, now, step.until)
    try:
        await connection.execute(sql("change_status"), appeal_id, *values)
    except asyncpg.UniqueViolationError as error:
        raise StateConflict("The client has another open appeal on this account by now.") from error
    return to


async def step_to(pool: Pool, appeal_id: int, step: Step, now: datetime) -> Appeal | None:
    """The case after the step; None when there is no such case. Raises as `change`."""
    async with pool.acquire() as connection, connection.transaction():
        await change(connection, appeal_id, step, now)
    return await find_appeal(pool, appeal_id)


async def close_appeal(
    pool: Pool, appeal_id: int, *, reason: str, now: datetime, by: str = ""
) -> Appeal | None:
    """Resolve a case; one that is closed already stays as it is. None when there is no such case."""
    try:
        return await step_to(pool, appeal_id, Step("resolve", by, reason), now)
    except StateConflict:  # only a resolved case cannot be resolved
        return await find_appeal(pool, appeal_id)


async def mark(pool: Pool, appeal_id: int, marks: Marks, now: datetime) -> None:
    """Set the priority, add and remove tags. Tags are lower case, at most 20 of 40 characters."""
    added, removed = (_tags(tags) for tags in (marks.add_tags, marks.remove_tags))
    await pool.execute(sql("mark_appeal"), appeal_id, marks.priority, added, removed, MOST_TAGS, now)


async def add_note(
    executor: Executor, appeal_id: int, *, author: str, text: str, now: datetime
) -> int | None:
    """Write a note; its id, None when there is no such case."""
    note: int | None = await executor.fetchval(
        sql("add_note"), appeal_id, now, storable(author), storable(text)
    )
    return note


async def notes_of(executor: Executor, appeal_id: int, *, last: int = 20) -> list[Note]:
    """The last notes, oldest first."""
    rows = await executor.fetch(sql("notes_of_appeal"), appeal_id, last)
    return [Note(**dict(row)) for row in reversed(rows)]


async def journal_of(
    executor: Executor, appeal_id: int, *, last: int = 100, before: int = BEGINNING
) -> list[Entry]:
    """The last changes of status with ids smaller than `before`, oldest first."""
    rows = await executor.fetch(sql("journal_of_appeal"), appeal_id, last, before)
    return [Entry(**dict(row)) for row in reversed(rows)]


def _tags(tags: Collection[str]) -> list[str]:
    return [tag for one in tags if (tag := storable(one).strip().lower()[:LONGEST_TAG])]
