"""The inbox as a person sees it: open cases, who waits there, who has them. Rows only, no words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.store.pool import Executor
from orchestrator.store.queries import sql


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A case; `since` and `turn_id` are None when nobody waits, `taken_by` is "" when no agent is at work.

    `pause_cause` is "" when the AI may write; `paused_by` is who handed off, or who took over.
    """

    id: int
    client_id: int
    client_name: str
    channel: str
    account: str
    external_chat_id: str
    status: str
    priority: str
    ad_title: str
    since: datetime | None
    turn_id: int | None
    taken_by: str
    pause_cause: str
    paused_by: str
    pause_reason: str
    paused_until: datetime | None


async def chosen(executor: Executor, *, limit: int) -> list[int]:
    """The cases that are not resolved: who waits first, the longest first; then by their latest change."""
    return [row["id"] for row in await executor.fetch(sql("inbox_choice"), limit)]


async def rows_of(executor: Executor, appeal_ids: Sequence[int], now: datetime) -> list[InboxRow]:
    """These cases in this order, also resolved ones; without those that do not exist."""
    rows = await executor.fetch(sql("inbox_lines"), list(appeal_ids), now)
    return [InboxRow(**dict(row)) for row in rows]
