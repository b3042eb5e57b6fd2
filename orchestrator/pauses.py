"""Pauses: conversations that a person has taken over. Rows of the table, and how one follows from another.

Whoever changes a pause holds the lock of its chat, so what was read is still so when it is written.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import asyncpg

from core.errors import BadCursor
from core.pauses import PauseState
from orchestrator.store.pool import Connection, Executor
from orchestrator.store.queries import sql
from orchestrator.store.text import storable

Cause = Literal["hand_off", "operator_message", "operator_sent", "command"]
#: (channel, account, external_chat_id)
Chat = tuple[str, str, str]
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Pause:
    """A row of `pauses`. It is in force while it was not ended and `until` (None: for ever) is to come."""

    channel: str
    account: str
    external_chat_id: str
    cause: Cause
    paused_by: str
    reason: str
    started_at: datetime
    until: datetime | None
    version: int
    ended_at: datetime | None = None
    ended_by: str = ""
    operator_at: datetime | None = None
    word_id: str = ""

    @property
    def chat(self) -> Chat:
        return (self.channel, self.account, self.external_chat_id)

    def holds(self, now: datetime) -> bool:
        """Whether the AI is silent there."""
        return self.ended_at is None and (self.until is None or self.until > now)

    def told(self) -> PauseState:
        """What the channels are told of it."""
        until = 0 if self.ended_at else _ms(self.until) if self.until else None
        return PauseState(*self.chat, version=self.version, until_ms=until)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a conversation is paused, by whom and until when (None: until somebody resumes).

    `word_id` and `word_at` are the operator's message in the vendor's app, by the vendor's clock.
    """

    cause: Cause
    by: str = ""
    reason: str = ""
    until: datetime | None = None
    word_at: datetime | None = None
    word_id: str = ""


def renewed(known: Pause | None, chat: Chat, grounds: Grounds, now: datetime) -> Pause:
    """Pure: the pause after new grounds. One in force is never shortened.

    A word from before somebody ended the pause is noted and does not begin it again.
    """
    fresh = Pause(
        *chat,
        cause=grounds.cause,
        paused_by=storable(grounds.by),
        reason=storable(grounds.reason)[:_LONGEST_REASON],
        started_at=now,
        until=grounds.until,
        version=_ms(now),
        operator_at=grounds.word_at,
        word_id=grounds.word_id,
    )
    if known is None:
        return fresh
    fresh = replace(fresh, version=max(known.version + 1, fresh.version))
    if known.operator_at and (fresh.operator_at is None or fresh.operator_at < known.operator_at):
        fresh = replace(fresh, operator_at=known.operator_at, word_id=known.word_id)
    if known.ended_at and grounds.word_at and grounds.word_at < known.ended_at.replace(microsecond=0):
        return replace(known, operator_at=fresh.operator_at, word_id=fresh.word_id, version=fresh.version)
    if not known.holds(now):
        return fresh
    ends = None if known.until is None or fresh.until is None else max(known.until, fresh.until)
    return replace(fresh, started_at=known.started_at, until=ends, reason=fresh.reason or known.reason)


def ended(known: Pause, *, by: str, now: datetime) -> Pause:
    """Pure: the pause after somebody resumed."""
    version = max(known.version + 1, _ms(now))
    return replace(known, ended_at=now, ended_by=storable(by), version=version)


async def get_pause(executor: Executor, chat: Chat) -> Pause | None:
    """The latest pause of a conversation, in force or over."""
    return _optional(await executor.fetchrow(sql("get_pause"), *chat))


async def pause_in_force(executor: Executor, chat: Chat, now: datetime) -> Pause | None:
    """The pause of a conversation now, or None."""
    pause = await get_pause(executor, chat)
    return pause if pause is not None and pause.holds(now) else None


async def list_pauses(
    executor: Executor, now: datetime, *, limit: int, cursor: str = "", chats: Collection[Chat] | None = None
) -> tuple[list[Pause], str]:
    """A page of the conversations that are paused now, the latest first, and the cursor of the next page, ""
    on the last. `chats`: of these only. Raises BadCursor.
    """
    columns: list[list[str] | None] = [None] * 3
    if chats is not None:
        columns = [[chat[place] for chat in chats] for place in range(3)]
    rows = await executor.fetch(sql("list_pauses"), now, limit + 1, *_place(cursor), *columns)
    pauses = [_pause(row) for row in rows[:limit]]
    return pauses, f"{pauses[-1].started_at.isoformat()}|{_mark(pauses[-1])}" if len(rows) > limit else ""


async def put_pause(connection: Connection, pause: Pause) -> None:
    """Write the row, under the lock of its chat; the channels are told after the transaction."""
    await connection.execute(sql("put_pause"), *(getattr(pause, name) for name in _COLUMNS))


async def untold(executor: Executor, *, before: datetime, limit: int) -> list[Pause]:
    """What the channels may not know: never told, or in force and told before then (Redis forgets)."""
    return [_pause(row) for row in await executor.fetch(sql("untold_pauses"), before, limit)]


async def mark_told(executor: Executor, pauses: Sequence[Pause], now: datetime) -> None:
    """The channels know these versions."""
    columns: list[list[Any]] = [[getattr(one, name) for one in pauses] for name in (*_COLUMNS[:3], "version")]
    await executor.execute(sql("mark_pauses_told"), *columns, now)


_COLUMNS = tuple(Pause.__slots__)
_BEGINNING = (datetime.max.replace(tzinfo=UTC), "g")  # no hexadecimal digit is so large


def _mark(pause: Pause) -> str:
    """Of two that began at once, which is first: as the query has it."""
    return hashlib.md5("|".join(pause.chat).encode(), usedforsecurity=False).hexdigest()


def _place(cursor: str) -> tuple[datetime, str]:
    if not cursor:
        return _BEGINNING
    at, _, mark = cursor.partition("|")
    try:
        place = datetime.fromisoformat(at).astimezone(UTC), mark
    except (ValueError, OverflowError) as error:
        raise BadCursor from error
    if not re.fullmatch("[0-9a-f]{32}", mark):
        raise BadCursor
    return place


def _pause(row: asyncpg.Record) -> Pause:
    return Pause(**{name: row[name] for name in _COLUMNS})


def _optional(row: asyncpg.Record | None) -> Pause | None:
    return _pause(row) if row is not None else None


def _ms(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * 1000)
