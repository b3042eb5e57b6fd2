"""Batches that come at the same time share a transaction: under load most of the cost is its round trips.

One that comes alone is resolved at once and waits for nobody.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.batching import Batch
from orchestrator.pause_news import TellsPauses
from orchestrator.rules import Rules
from orchestrator.store.pool import Pool
from orchestrator.store.resolve import ResolvedBatch, resolve_batches

#: The most batches of one transaction: larger ones gain little and hold their locks longer.
AT_ONCE = 50
#: One that waits for a chat's lock must not hold up all others.
TRANSACTIONS = 2


def _nothing_yet() -> "asyncio.Future[ResolvedBatch | None]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class _Waiting:
    """A caller; `answer` is None when it has to be tried again, `alone` after its group had failed."""

    batch: Batch
    now: datetime
    answer: "asyncio.Future[ResolvedBatch | None]" = field(default_factory=_nothing_yet)
    alone: bool = False

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
            )
        except Exception:
            if len(group) == 1:
                raise
            self._again(group, alone=True)  # nobody can tell whose fault it was
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
