"""Tells who watches of what has changed: of cases, chats and clients.

The changes stand in the database (migrations 0019, 0021): each was written by the statement that made it, so
no place of the code can forget one, and none is told before its transaction is over. Any number of replicas
may run this; each row is taken by one of them, which tells all through the bus.
"""

import asyncio

import asyncpg

from core.alarm import Outage
from core.bell import Bell
from core.clock import Clock
from core.resource_bus import ResourceBus
from core.resource_names import chat_name
from core.resource_uris import APPEAL, CLIENT, filled
from orchestrator.store.pool import Pool
from orchestrator.store.queries import sql

_SWEEP_SECONDS = 0.5
#: Between two looks: the bell rings for every turn in every replica, and each look passes what others took.
_APART_MS = 100
_AT_ONCE = 500


class ChangeTeller:
    """Woken by the bell of the turns; looks by itself twice a second, and ten times at the most."""

    def __init__(self, pool: Pool, bus: ResourceBus, bell: Bell, clock: Clock) -> None:
        self._pool = pool
        self._bus = bus
        self._bell = bell
        self._clock = clock
        self._outage = Outage("resource_changes")

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            ticket = self._bell.ticket
            pause_ms = await self._outage.survive(self.tell_all)
            await self._clock.wait(asyncio.Event(), self._clock.now_ms() + max(pause_ms, _APART_MS))
            if not pause_ms:
                await self._bell.wait(ticket, _SWEEP_SECONDS)

    async def tell_all(self) -> None:
        """Tell everything that has changed."""
        while await self._tell() == _AT_ONCE:
            pass

    async def _tell(self) -> int:
        """A row goes when it was told: who dies meanwhile, or does not reach Redis, leaves it to be told."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(sql("take_changes"), _AT_ONCE)
            await self._bus.told(*dict.fromkeys(map(_name, rows)))
        return len(rows)


def _name(row: asyncpg.Record) -> str:
    if row["kind"] == "chat":
        return chat_name(row["channel"], row["account"], row["name"])
    return filled(APPEAL if row["kind"] == "appeal" else CLIENT, id=row["name"])
