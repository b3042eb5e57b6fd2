"""What time does to cases: a snooze is over, a pause is over, nothing has happened for long.

Any number of replicas may run it: each step locks its case and looks again before it changes anything.
"""

import asyncio
from datetime import UTC, datetime

import structlog

from core.alarm import Outage
from core.bell import Bell
from core.clock import Clock
from core.errors import StateConflict
from orchestrator.appeal_changes import Step, change
from orchestrator.clients import chat_key
from orchestrator.rules import Rules
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql
from orchestrator.takeover import resume_case

_AT_ONCE = 200
_SWEEP_SECONDS = 1.0
_TIMER = "timer"


class Clockwork:
    """`turns_bell` wakes agents for turns that were held back by a pause."""

    def __init__(self, pool: Pool, rules: Rules, *, turns_bell: Bell, clock: Clock) -> None:
        self._pool = pool
        self._rules = rules
        self._bell = turns_bell
        self._clock = clock
        self._outage = Outage("clockwork")

    async def run(self) -> None:
        """Sweep every second until cancelled."""
        while True:
            pause_ms = await self._outage.survive(self.sweep)
            await asyncio.sleep(pause_ms / 1000 or _SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Do what is due."""
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        await self._wake(now)
        if await self._give_back(now):
            await self._bell.ring()
        await self._close_resting(now)

    async def _wake(self, now: datetime) -> None:
        for row in await self._pool.fetch(sql("appeals_to_wake"), now, _AT_ONCE):
            await self._step(row["id"], Step("wake", _TIMER), now, if_still=("appeal_is_due", now))

    async def _give_back(self, now: datetime) -> int:
        given_back = 0
        for row in await self._pool.fetch(sql("appeals_to_look_at"), now, _AT_ONCE):
            key = chat_key(row["channel"], row["account"], row["external_chat_id"])
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(sql("lock_keys"), [key])
                given_back += await resume_case(connection, row["id"], Step("pause_ends", _TIMER), now)
        return given_back

    async def _close_resting(self, now: datetime) -> None:
        if self._rules.auto_close_after is None:
            return
        since = now - self._rules.auto_close_after
        step = Step("inactivity", _TIMER, "inactivity")
        for row in await self._pool.fetch(sql("appeals_at_rest"), since, _AT_ONCE):
            await self._step(row["id"], step, now, if_still=("appeal_is_at_rest", since))

    async def _step(
        self, appeal_id: int, step: Step, now: datetime, *, if_still: tuple[str, datetime]
    ) -> None:
        """One step, unless somebody was quicker; `if_still`: the query that asks so, and its time."""
        question, since = if_still
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(sql("lock_client_of_appeal"), appeal_id)
                if await connection.fetchval(sql(question), appeal_id, since):
                    await change(connection, appeal_id, step, now)
        except StateConflict as conflict:
            structlog.get_logger().debug("case_was_changed", appeal=appeal_id, why=conflict.detail)
