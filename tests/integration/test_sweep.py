"""What a silent webhook lost is found in the vendor's history, and nothing is taken in twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from core.account_marks import AccountMarks
from core.channel import Arrival, Channel
from core.errors import VendorDown
from core.ids import DEFAULT_ACCOUNT, AccountId, ChatId
from core.inbox import Inbox
from core.known_chats import KnownChats
from core.messages import IncomingMessage
from core.sweep import LONGEST_MS, OVERLAP_MS, YOUNG_SECONDS, Sweeper
from core.testing import FakeChannel
from core.webhook import Deaf
from tests.integration.chats_fixture import ManualClock
from tests.integration.intake_fixture import KEYS, connect, open_inbox, queued

MINUTE = 60_000
YOUNG_MS = round(YOUNG_SECONDS * 1000)


class ChannelWithPast(FakeChannel):
    """A messenger whose history holds what the test says."""

    def __init__(self, clock: ManualClock, account: AccountId = DEFAULT_ACCOUNT) -> None:
        super().__init__(clock=clock, account=account)
        self.history: list[Arrival] = []
        self.asked: list[tuple[datetime, list[ChatId]]] = []
        self.down = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def arrivals_since(self, since: datetime, known: Sequence[ChatId]) -> Sequence[Arrival]:
        self.asked.append((since, list(known)))
        await self.may_answer.wait()
        if self.down:
            raise VendorDown
        return [one for one in self.history if one.message.timestamp >= since]


class Yard:
    """One account, its inbox and its sweeper."""

    def __init__(self, redis_url: str, redis: Redis, clock: ManualClock, inbox: Inbox) -> None:
        self.redis_url = redis_url
        self.clock = clock
        self.channel = ChannelWithPast(clock)
        self.known = KnownChats(redis, KEYS, "avito")
        self.marks = AccountMarks(redis, KEYS)
        self.recovered: list[int] = []
        self.counted = asyncio.Event()
        self.inbox = inbox
        self.sweeper = Sweeper(
            inbox,
            self.known,
            self.marks,
            clock=clock,
            recovered=self._count,
            listener=Deaf(),
        )

    def _count(self, _: Channel, found: int) -> None:
        self.recovered.append(found)
        self.counted.set()

    def writes(self, message_id: str, *, ago: int = MINUTE) -> Arrival:
        """A customer's message in the vendor's history, so many ms ago."""
        arrival = self.channel.arrival(message_id, "u2i-1", f"слова {message_id}")
        at = datetime.fromtimestamp((self.clock.now_ms() - ago) / 1000, UTC)
        message: IncomingMessage = arrival.message.model_copy(update={"timestamp": at})
        lost = Arrival(message, arrival.event_key)
        self.channel.history.append(lost)
        return lost

    async def ids(self) -> list[str]:
        return [text.removeprefix("слова ") for text in await queued(self.redis_url)]


@asynccontextmanager
async def yard(redis_url: str, folder: Path) -> AsyncIterator[Yard]:
    async with connect(redis_url) as redis, open_inbox(redis_url, folder) as inbox:
        yield Yard(redis_url, redis, ManualClock(), inbox)


async def test_the_first_sweep_takes_nothing_in(redis_url: str, tmp_path: Path) -> None:
    """A new installation must not answer last month's conversations."""
    async with yard(redis_url, tmp_path) as shop:
        shop.writes("old")

        assert await shop.sweeper.sweep(shop.channel) == 0
        assert await shop.ids() == []


async def test_what_was_written_before_the_first_sweep_stays_where_it_is(
    redis_url: str, tmp_path: Path
) -> None:
    """A person may have answered it in the messenger's own app, minutes before the installation."""
    async with yard(redis_url, tmp_path) as shop:
        shop.writes("old", ago=5 * MINUTE)
        found = []
        for _ in range(4):
            found.append(await shop.sweeper.sweep(shop.channel))
            shop.clock.move(5 * MINUTE)
        shop.writes("lost")

        assert found == [0, 0, 0, 0]
        assert await shop.sweeper.sweep(shop.channel) == 1
        assert await shop.ids() == ["lost"]


async def test_what_no_webhook_brought_is_taken_in_once(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        await shop.sweeper.sweep(shop.channel)
        shop.clock.move(5 * MINUTE)
        shop.writes("lost")
        found = [await shop.sweeper.sweep(shop.channel) for _ in range(3)]

        assert found == [1, 0, 0]
        assert shop.recovered == [1, 0, 0]
        assert await shop.ids() == ["lost"]


async def test_what_the_webhook_brought_is_not_doubled(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        await shop.sweeper.sweep(shop.channel)
        shop.clock.move(5 * MINUTE)
        await shop.inbox.put([shop.writes("known")])
        shop.writes("lost")

        assert await shop.sweeper.sweep(shop.channel) == 1
        assert await shop.ids() == ["known", "lost"]


async def test_a_young_message_may_still_come_by_webhook(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        await shop.sweeper.sweep(shop.channel)
        shop.clock.move(5 * MINUTE)
        shop.writes("young", ago=YOUNG_MS - 1)
        early = await shop.sweeper.sweep(shop.channel)
        shop.clock.move(YOUNG_MS)

        assert (early, await shop.sweeper.sweep(shop.channel)) == (0, 1)


async def test_a_failed_sweep_looks_at_the_same_time_again(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        await shop.sweeper.sweep(shop.channel)
        mark = await shop.marks.swept(shop.channel)
        shop.clock.move(30 * MINUTE)
        shop.channel.down = True
        with pytest.raises(VendorDown):
            await shop.sweeper.sweep(shop.channel)
        shop.channel.down = False
        shop.writes("lost", ago=25 * MINUTE)

        assert await shop.marks.swept(shop.channel) == mark
        assert await shop.sweeper.sweep(shop.channel) == 1


async def test_after_a_long_absence_one_day_is_looked_at(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        await shop.sweeper.sweep(shop.channel)
        shop.clock.move(3 * LONGEST_MS)
        await shop.sweeper.sweep(shop.channel)
        [(since, _)] = shop.channel.asked

        assert round(since.timestamp() * 1000) == shop.clock.now_ms() - LONGEST_MS


async def test_the_end_of_the_last_sweep_is_looked_at_twice(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        await shop.sweeper.sweep(shop.channel)
        mark = await shop.marks.swept(shop.channel) or 0
        shop.clock.move(5 * MINUTE)
        await shop.sweeper.sweep(shop.channel)
        [(since, _)] = shop.channel.asked

        assert round(since.timestamp() * 1000) == mark - OVERLAP_MS


async def test_vendors_that_list_no_chats_are_told_ours(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        await shop.known.note(shop.channel.account, [shop.writes("m1")])
        await shop.sweeper.sweep(shop.channel)
        await shop.sweeper.sweep(shop.channel)
        [(_, known)] = shop.channel.asked

        assert known == ["u2i-1"]


async def test_an_account_whose_vendor_hangs_does_not_hold_up_the_others(
    redis_url: str, tmp_path: Path
) -> None:
    async with yard(redis_url, tmp_path) as shop:
        hanging = ChannelWithPast(shop.clock, AccountId("second"))
        hanging.may_answer.clear()
        for channel in (hanging, shop.channel):
            await shop.sweeper.sweep(channel)
        shop.clock.move(5 * MINUTE)
        shop.writes("lost")
        sweeping = asyncio.create_task(shop.sweeper.run([hanging, shop.channel], every=300))
        async with asyncio.timeout(5):
            await shop.counted.wait()
        sweeping.cancel()

        assert len(hanging.asked) == 1
        assert await shop.ids() == ["lost"]


async def test_one_replica_sweeps_at_a_time(redis_url: str, tmp_path: Path) -> None:
    async with yard(redis_url, tmp_path) as shop:
        claims = [await shop.marks.claim(shop.channel, "sweep", for_ms=60_000) for _ in range(2)]

        assert claims == [True, False]
