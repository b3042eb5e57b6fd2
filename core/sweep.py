"""The gap sweep: what a silent webhook lost is found in the vendor's history and taken in, once.

Each account has a mark in Redis: up to then its history has been compared. The first sweep ever only sets
it, so that a new installation does not answer old conversations. What the inbox knows already it drops.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from core.account_marks import AccountMarks
from core.channel import Arrival, Channel, Sweeps
from core.clock import Clock
from core.errors import ChannelError
from core.ids import AccountId, ChatId
from core.webhook import Intake, Listener

log = structlog.get_logger()

#: Looked at twice, in case the vendor's history shows a message late.
OVERLAP_MS = 10 * 60 * 1000
#: Younger ones may still come by webhook, and in order.
YOUNG_SECONDS = 30.0
#: After a longer absence older conversations are left to people.
LONGEST_MS = 24 * 3600 * 1000
#: Chats of our own list that are looked at for vendors without one.
CHATS_MS = 7 * 24 * 3600 * 1000


class Lately(Protocol):
    """Which chats changed (core/known_chats.py)."""

    async def lately(self, account: AccountId, since_ms: int) -> list[ChatId]: ...


class Sweeper:
    """Sweeps the accounts whose vendor has a history; `recovered` is told how many messages it found.

    Seconds: `every` is the pause between two sweeps, messages younger than `young` are left to the webhook.
    """

    def __init__(
        self,
        inbox: Intake,
        known: Lately,
        marks: AccountMarks,
        *,
        clock: Clock,
        recovered: Callable[[Channel, int], None],
        listener: Listener,
    ) -> None:
        self._inbox = inbox
        self._known = known
        self._marks = marks
        self._clock = clock
        self._recovered = recovered
        self._listener = listener

    async def run(self, channels: Iterable[Channel], *, every: float, young: float = YOUNG_SECONDS) -> None:
        """Sweep until cancelled, no account waiting for another; `every` 0 = never."""
        swept = [channel for channel in channels if isinstance(channel, Sweeps)]
        if every:
            await asyncio.gather(*(self._keep_sweeping(channel, every, young) for channel in swept))

    async def sweep(self, channel: Channel, *, young: float = YOUNG_SECONDS) -> int:
        """Compare since the mark and move it; how many lost messages were taken in.

        Raises a ChannelError; the mark stays then, and the next sweep looks at the same time again.
        """
        now = self._clock.now_ms()
        mark = await self._marks.swept(channel)
        found, settled = 0, now - round(young * 1000)
        if mark is None:
            mark = settled + OVERLAP_MS  # what is older than the first sweep is never looked at
        elif isinstance(channel, Sweeps):
            since = max(mark - OVERLAP_MS, now - LONGEST_MS)
            known = await self._known.lately(channel.account, now - CHATS_MS)
            arrivals = await channel.arrivals_since(datetime.fromtimestamp(since / 1000, UTC), known)
            found = await self._take(channel, [one for one in arrivals if _ms(one) <= settled])
        await self._marks.sweep_ended(channel, max(mark, settled))
        return found

    async def _take(self, channel: Channel, arrivals: Sequence[Arrival]) -> int:
        stored = await self._inbox.put(arrivals)
        self._listener.note(channel, arrivals, stored)
        found = stored.count("queued")
        if found:
            log.warning("lost_messages_found", channel=channel.name, account=channel.account, messages=found)
        self._recovered(channel, found)
        return found

    async def _keep_sweeping(self, channel: Channel, every: float, young: float) -> None:
        never = asyncio.Event()
        while True:
            await self._sweep_quietly(channel, claim_ms=round(every * 900), young=young)
            await self._clock.wait(never, self._clock.now_ms() + round(every * 1000))

    async def _sweep_quietly(self, channel: Channel, *, claim_ms: int, young: float) -> None:
        try:
            if await self._marks.claim(channel, "sweep", for_ms=claim_ms):
                await self.sweep(channel, young=young)
        except ChannelError as error:
            log.warning("sweep_put_off", channel=channel.name, account=channel.account, code=error.code)
        except Exception:  # top of the loop: the other accounts are swept as well
            log.exception("sweep_failed", channel=channel.name, account=channel.account)


def _ms(arrival: Arrival) -> float:
    return arrival.message.timestamp.timestamp() * 1000
