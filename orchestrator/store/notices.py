"""Notices: whom we still have to tell that a turn waits (table `turn_notices`).

    (turn on offer) -- open --> due -- claim --> told -- done ----> done
                                 ^                |-- failed ----> due, later
                                 |----------------|  (whoever told it died: due again when the claim ends)

A turn that is offered anew (its lease ended, it was given back, it grew while it waited) is due again under a
new id. What is not on offer any more is not claimed, and goes when the turn is finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from orchestrator.store.pool import Executor
from orchestrator.store.queries import sql

Way = Literal["redis", "webhook"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A turn to tell of; `attempts` counts this one, `since` is when it began to wait."""

    turn_id: int
    notice_id: UUID
    attempts: int
    channel: str
    account: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many notices of a way are not done, and how many of these have failed before."""

    waiting: int = 0
    failing: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Turns on offer of one account of a channel."""

    channel: str
    account: str
    waiting: int
    since: datetime


async def open_notices(executor: Executor, way: Way, *, now: datetime, since: datetime) -> None:
    """Make a notice due for every offer since then that has none. Repeating it is harmless."""
    await executor.execute(sql("open_notices"), way, now, since)


async def claim(executor: Executor, way: Way, limit: int, *, now: datetime, until: datetime) -> list[Notice]:
    """The notices that are due, longest due first; no other replica gets them before `until`."""
    rows = await executor.fetch(sql("claim_notices"), way, now, until, limit)
    notices = [Notice(**dict(row)) for row in rows]
    return sorted(notices, key=lambda notice: (notice.since, notice.turn_id))


async def done(executor: Executor, way: Way, notices: Sequence[Notice], *, now: datetime) -> None:
    """These were told."""
    await executor.execute(sql("notices_done"), way, [notice.notice_id for notice in notices], now)


async def failed(executor: Executor, way: Way, notice: Notice, error: str, *, due: datetime) -> None:
    """This one was not told; it is due again then."""
    await executor.execute(sql("notice_failed"), way, notice.notice_id, due, error)


async def prune(executor: Executor, way: Way) -> None:
    """Forget the notices of finished turns."""
    await executor.execute(sql("prune_notices"), way)


async def backlog(executor: Executor) -> dict[str, Backlog]:
    """What is still to be told, by way."""
    rows = await executor.fetch(sql("notices_summary"))
    return {row["way"]: Backlog(row["waiting"], row["failing"]) for row in rows}


async def waiting(executor: Executor, *, now: datetime) -> list[Waiting]:
    """Which turns are on offer now, longest waiting first."""
    return [Waiting(**dict(row)) for row in await executor.fetch(sql("turns_on_offer"), now)]
