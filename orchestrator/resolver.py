"""Batches that come at the same time share a transaction: under load most of the cost is its round trips.

One that comes alone is resolved at once and waits for nobody.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from orchestrator.batching import Batch
from orchestrator.pause_news import TellsPauses
from orchestrator.rules import Rules
from orchestrator.store.pool import Pool
from orchestrator.store.resolve import ResolvedBatch, resolve_batches

#: The most batches of one transaction: larger ones gain little and hold their locks longer.
AT_ONCE = 50
TRANSACTIONS = 2
#: Somebody may have a chat for long (its client is erased or merged): it waits aside, and nobody with it.
PATIENCE_SECONDS = 0.5
_PAUSE_SECONDS = 0.3
#: So often one that waits aside is tried, about as long as a statement may take; then the chat is put off.
_TRIES = 60


def _nothing_yet() -> "asyncio.Future[ResolvedBatch | None]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class _Waiting:
    """A caller; `answer` is None when it has to be tried again, `alone` after its group had failed."""

    batch: Batch
    now: datetime
    answer: "asyncio.Future[ResolvedBatch | None]" = field(default_factory=_nothing_yet)
    alone: bool = False
    held_up: int = 0

    @property
    def chat(self) -> tuple[str, str, str]:
        return (self.batch.channel, self.batch.account, self.batch.external_chat_id)

    def told(self, resolved: ResolvedBatch | None) -> None:
        """The caller may have gone away meanwhile."""
        if not self.answer.done():
            self.answer.set_result(resolved)

    def again(self, *, alone: bool) -> None:
        """Nothing has come of this attempt."""
        self.alone = self.alone or alone
        self.told(None)
        self.answer = _nothing_yet()


class Resolver:
    """Resolves for all workers of this process; whoever gets a transaction takes along who waits."""

    def __init__(self, pool: Pool, rules: Rules, pause_news: TellsPauses) -> None:
        self._pool = pool
        self._rules = rules
        self._pause_news = pause_news
        self._free = asyncio.Semaphore(TRANSACTIONS)
        self._waiting: list[_Waiting] = []

    async def resolve(self, batch: Batch, *, now: datetime) -> ResolvedBatch:
        """As store.resolve.resolve_batch, whose errors it raises; never for a neighbour's batch."""
        mine = _Waiting(batch, now)
        self._waiting.append(mine)
        try:
            while True:
                answer = mine.answer
                async with self._free:
                    if mine in self._waiting:
                        answer = mine.answer
                        await self._serve(self._group_of(mine))
                if resolved := await answer:
                    return resolved
                if mine.held_up:
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)

    def _group_of(self, mine: _Waiting) -> list[_Waiting]:
        """Those who are served together with `mine`, one of each chat; they wait no longer."""
        group = {mine.chat: mine}
        if not mine.alone:
            for one in self._waiting:
                if len(group) < AT_ONCE and not one.alone:
                    group.setdefault(one.chat, one)
        members = list(group.values())
        self._waiting = [one for one in self._waiting if one not in members]
        return members

    async def _serve(self, group: Sequence[_Waiting]) -> None:
        try:
            resolved = await resolve_batches(
                self._pool,
                [one.batch for one in group],
                now=max(one.now for one in group),
                rules=self._rules,
                patience=PATIENCE_SECONDS,
            )
        except Exception as error:
            if len(group) == 1 and not _waits_aside(group[0], error):
                raise
            self._again(group, alone=True)  # of several nobody can tell whose fault it was
        except BaseException:  # this caller was cancelled; the others were not
            self._again(group, alone=False)
            raise
        else:
            if any(result.taken_over for result in resolved):
                self._pause_news.ring()
            for one, result in zip(group, resolved, strict=True):
                one.told(result)

    def _again(self, group: Sequence[_Waiting], *, alone: bool) -> None:
        still_there = [one for one in group if not one.answer.cancelled()]
        self._waiting += still_there
        for one in still_there:
            one.again(alone=alone)


def _waits_aside(one: _Waiting, error: Exception) -> bool:
    """Whether it is only that somebody has its chat, and not for too long."""
    if not isinstance(error, asyncpg.LockNotAvailableError):
        return False
    one.held_up += 1
    return one.held_up < _TRIES
