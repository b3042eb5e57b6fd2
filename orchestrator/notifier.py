"""Finds turns that begin to wait and has them told by one way, at least once each.

What is to be told is read from the turns after the fact, so no crash between a commit and the telling forgets
one. Any number of replicas may run it: each notice is claimed by one of them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.alarm import Outage
from core.bell import Bell
from core.clock import Clock
from orchestrator.store import notices
from orchestrator.store.notices import Notice, Way
from orchestrator.store.pool import Pool

_SWEEP_SECONDS = 1.0
#: Turns that have waited longer are looked through less often: all of them would be many in a rush.
_RECENT = timedelta(minutes=1)
_EVERYTHING_MS = 5_000
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Teller(Protocol):
    """One way to tell. `at_once` notices are told together, within `seconds`; after these they are due again.

    `tell` says itself which are done and which have failed (orchestrator/store/notices.py).
    """

    way: Way
    at_once: int
    seconds: float

    async def willing(self) -> bool:
        """Whether anybody wants to be told."""

    async def tell(self, told: Sequence[Notice]) -> None:
        """Tell of these turns."""


class Notifier:
    """Woken by the bell of the turns; looks by itself every second."""

    def __init__(self, pool: Pool, teller: Teller, *, bell: Bell, clock: Clock) -> None:
        self._pool = pool
        self._teller = teller
        self._bell = bell
        self._clock = clock
        self._outage = Outage(f"notices_{teller.way}")
        self._everything_at = 0

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            ticket = self._bell.ticket
            pause_ms = await self._outage.survive(self.tell_all)
            if pause_ms:
                await self._bell.wait(self._bell.ticket, pause_ms / 1000)
            else:
                await self._bell.wait(ticket, _SWEEP_SECONDS)

    async def tell_all(self) -> None:
        """Tell everything that is due."""
        if not await self._teller.willing():
            return
        await self._open()
        while told := await self._claim():
            await self._teller.tell(told)

    async def _open(self) -> None:
        now = self._now()
        everything = self._clock.now_ms() >= self._everything_at
        await notices.open_notices(
            self._pool, self._teller.way, now=now, since=_EVER if everything else now - _RECENT
        )
        if everything:
            await notices.prune(self._pool, self._teller.way)
            self._everything_at = self._clock.now_ms() + _EVERYTHING_MS

    async def _claim(self) -> list[Notice]:
        now = self._now()
        until = now + timedelta(seconds=self._teller.seconds)
        return await notices.claim(self._pool, self._teller.way, self._teller.at_once, now=now, until=until)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
