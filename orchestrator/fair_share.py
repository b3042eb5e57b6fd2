"""Fair shares of the workers: an account whose messenger makes everybody wait holds up its own chats only."""

from collections import Counter
from dataclasses import replace
from typing import Any

from core.chats import Chats, Lease
from core.clock import Clock
from core.dispatcher import Work
from orchestrator.recent import Recent

_SHORTEST_MS, _LONGEST_MS = 100, 2_000
#: How long the last work of an account tells how long the next one takes.
_TELLING_SECONDS = 60.0

_Account = tuple[str, str]


class FairShare:
    """Around the work of a dispatcher: an account holds at most as many workers as are free beside it.

    A chat beyond that is given back for about as long as the account's last work took.
    """

    def __init__(self, chats: Chats[Any], work: Work, *, workers: int, clock: Clock) -> None:
        self._chats = chats
        self._work = work
        self._workers = workers
        self._clock = clock
        self._held: Counter[_Account] = Counter()
        self._took: Recent[_Account, int] = Recent(clock, seconds=_TELLING_SECONDS)

    async def work(self, lease: Lease) -> None:
        """Do it, or put it off."""
        account, began = self._account(lease), self._clock.now_ms()
        if self._held[account] >= self._workers - self._held.total():
            pause = min(max(self._took.get(account) or 0, _SHORTEST_MS), _LONGEST_MS)
            await self._chats.retry(lease, began, due_at=began + pause)
            return
        self._held[account] += 1
        try:
            await self._work(lease)
        finally:
            self._held[account] -= 1
            self._held = +self._held
            self._took.keep(account, self._clock.now_ms() - began)

    def _account(self, lease: Lease) -> _Account:
        """Of the first message; what cannot be read is its channel's."""
        read = self._chats.read(replace(lease, items=lease.items[:1]), self._clock.now_ms())
        return next(((one.channel, one.account) for one in read.messages), (lease.channel, ""))
