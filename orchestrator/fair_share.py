"""Fair shares of the workers: an account whose messenger makes everybody wait holds up its own chats only."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from core.chats import Chats, Lease
from core.clock import Clock
from core.dispatcher import Work
from core.lanes import PATIENT
from orchestrator.recent import Recent

_SHORTEST_MS, _LONGEST_MS = 100, 2_000
#: What has time is looked at again soon: an answer may come into that very chat.
_LONGEST_PATIENT_MS = 500
#: How long the last work of an account tells how long the next one takes.
_TELLING_SECONDS = 60.0
#: Sends that have time which an account may have under way: none of them stands long before an answer. An
#: account that makes nobody wait may have more.
PATIENT_AT_ONCE = 2
_QUICK_MS = 300

_Account = tuple[str, str]


async def _tell_nobody() -> None:
    pass


class FairShare:
    """Around the work of a dispatcher: an account holds at most as many workers as are free beside it.

    A chat beyond that is given back for about as long as the account's last work took. What has time
    (core/lanes.py) holds workers of its own: `patient` of them, and two for an account that is slow. So the
    dispatcher has `workers` and `patient` together. `freed` is called when something patient is done.
    """

    def __init__(
        self,
        chats: Chats[Any],
        work: Work,
        *,
        workers: tuple[int, int],
        clock: Clock,
        freed: Callable[[], Awaitable[None]] = _tell_nobody,
    ) -> None:
        self._chats = chats
        self._work = work
        self._workers, self._patient = workers
        self._clock = clock
        self._freed = freed
        self._held: dict[bool, Counter[_Account]] = {False: Counter(), True: Counter()}
        self._took: Recent[_Account, int] = Recent(clock, seconds=_TELLING_SECONDS)

    async def work(self, lease: Lease) -> None:
        """Do it, or put it off."""
        (account, patient), began = self._kind(lease), self._clock.now_ms()
        if not self._has_room(account, patient):
            longest = _LONGEST_PATIENT_MS if patient else _LONGEST_MS
            pause = min(max(self._took.get(account) or 0, _SHORTEST_MS), longest)
            await self._chats.retry(lease, began, due_at=began + pause)
            return
        self._held[patient][account] += 1
        try:
            await self._work(lease)
        finally:
            self._held[patient][account] -= 1
            self._held[patient] = +self._held[patient]
            self._took.keep(account, self._clock.now_ms() - began)
            if patient:
                await self._freed()

    def _has_room(self, account: _Account, patient: bool) -> bool:
        held = self._held[patient]
        if patient:
            took = self._took.get(account)
            quick = took is not None and took <= _QUICK_MS
            return (
                held[account] < (self._patient if quick else PATIENT_AT_ONCE) and held.total() < self._patient
            )
        return held[account] < self._workers - held.total()

    def _kind(self, lease: Lease) -> tuple[_Account, bool]:
        """Whose work it is, and whether all of it has time; what cannot be read is its channel's."""
        found = self._chats.read(replace(lease, items=lease.items[:1]), self._clock.now_ms()).messages
        account = next(((one.channel, one.account) for one in found), (lease.channel, ""))
        read = self._chats.read(lease, self._clock.now_ms()) if self._patient else None
        lanes = [getattr(one, "lane", 0) for one in read.messages] if read else []
        return account, min(lanes, default=0) >= PATIENT
