"""Ten thousand messages that have time, and one that somebody waits for, on the same account.

Time is simulated: the vendor takes one message at a time at its rate, behind the very rate limiter that
stands in the channels. The orchestrator's parts are the real ones, on real Redis and PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest

from core.messages import OutgoingMessage
from core.ratelimit import BucketShelf, TokenBucket
from core.transports import RateLimit, Timing
from orchestrator.fair_share import PATIENT_AT_ONCE, FairShare
from orchestrator.store import outbound
from orchestrator.store.bulks import Asked, accept_bulk
from tests.integration.chats_fixture import ManualClock
from tests.integration.test_deliver import Post, opened, outgoing
from tests.integration.test_resolve_scene import message

WORKERS, MORE = 10, 5
MANY = 10_000
LATENCY_MS = 100


class SimulatedTime:
    """Sleepers of a clock that the test moves; it knows when everybody sleeps."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.alarms: list[tuple[int, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        alarm = asyncio.Event()
        self.alarms.append((self.clock.now_ms() + max(1, round(seconds * 1000)), alarm))
        await alarm.wait()

    def next_alarm(self) -> int | None:
        return min((at for at, _ in self.alarms), default=None)

    def wake(self) -> None:
        due = [alarm for at, alarm in self.alarms if at <= self.clock.now_ms()]
        self.alarms = [(at, alarm) for at, alarm in self.alarms if at > self.clock.now_ms()]
        for alarm in due:
            alarm.set()


class Vendor:
    """Takes a message a turn of its rate, each for a fixed time; `sent` has when it was taken."""

    def __init__(self, time: SimulatedTime, per_second: float) -> None:
        self.sent: dict[str, int] = {}
        self._time = time
        clock = lambda: time.clock.now_ms() / 1000  # noqa: E731 - a clock
        timing = Timing(clock=clock, sleep=time.sleep)
        self._limit = RateLimit(
            httpx.MockTransport(self._take),
            bucket=TokenBucket(per_second, 1, clock),
            apart=BucketShelf({}, clock),
            timing=timing,
            longest=10.0,
            in_flight=10,
        )

    async def send(self, message: OutgoingMessage) -> list[str]:
        await self._limit.handle_async_request(httpx.Request("POST", f"https://v/{message.text}"))
        return [f"v-{message.id}"]

    async def _take(self, request: httpx.Request) -> httpx.Response:
        self.sent.setdefault(request.url.path[1:], self._time.clock.now_ms())
        await self._time.sleep(LATENCY_MS / 1000)
        return httpx.Response(200)


class Rush:
    """The way out at work, a step of simulated time after the other."""

    def __init__(self, post: Post, per_second: float) -> None:
        self.post = post
        self.time = SimulatedTime(post.line.clock)
        self.vendor = Vendor(self.time, per_second)
        post.channels.send = self.vendor.send  # type: ignore[method-assign]  # the fake's own seam
        self._share = FairShare(
            post.line.chats, post.deliverer.work, workers=(WORKERS, MORE), clock=post.line.clock
        )
        self._running: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> int:
        return self.post.line.now

    async def run(self, seconds: float, until: str = "") -> None:
        """Let time pass, or until the vendor has that text."""
        end = self.now + round(seconds * 1000)
        while self.now < end and until not in self.vendor.sent:
            await self.start()
            await self._pass(min(end, self.now + 100))

    async def start(self) -> None:
        """What may go gets its ticket and a worker, as often as something changes."""
        while True:
            await self.post.relay.push_all()
            await self.post.line.arrive()
            leases = await self.post.line.take(WORKERS + MORE - len(self._running))
            self._running |= {asyncio.create_task(self._share.work(lease)) for lease in leases}
            if not await self._settled() and not leases:
                return

    async def _settled(self) -> bool:
        """Wait until every worker sleeps in simulated time; whether one has finished."""
        before = len(self._running)
        while len(self._running) > len(self.time.alarms):
            done, self._running = await asyncio.wait(
                self._running, timeout=0.001, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        return len(self._running) < before

    async def _pass(self, at_most: int) -> None:
        """To the next moment at which something happens."""
        moments = [at_most, self.time.next_alarm(), await self.post.line.chats.next_due()]
        soonest = max(self.now + 1, min(one for one in moments if one is not None))
        await self.post.line.pass_time(soonest - self.now)
        self.time.wake()

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


@asynccontextmanager
async def rush(redis_url: str, database_url: str, per_second: float) -> AsyncIterator[Rush]:
    async with opened(redis_url, database_url) as post:
        made = Rush(post, per_second)
        try:
            yield made
        finally:
            await made.stop()


async def many(post: Post, door: str) -> None:
    """Ten thousand chats are to be written to: by a bulk, or by a program that pushes to the list."""
    chats = [f"b{number}" for number in range(MANY)]
    if door == "bulk":
        await post.here.pool.execute(_KNOWN, chats)
        items = [(chat, f"bulk-{chat}") for chat in chats]
        await accept_bulk(post.here.pool, Asked(uuid4(), "avito", "default", items), now=post.here.now)
        return
    await post.here.pool.execute(_LISTED, chats)


#: Customers who wrote long ago, as many at once as the test can wait for.
_KNOWN = """
WITH one AS (INSERT INTO clients (created_at, updated_at) VALUES (now(), now()) RETURNING id)
INSERT INTO messages_history (client_id, channel, account, external_chat_id, external_message_id, direction,
    sender, event, message_type, message_text, media, meta, sent_at, created_at)
SELECT one.id, 'avito', 'default', chat, 'm', 'in', 'customer', 'message', 'text', 'x', '{}', '{}',
    '2026-01-01', '2026-01-01' FROM one, unnest($1::text[]) AS chat
"""
#: What the list door makes of ten thousand pushed messages (tests/integration/test_list_door.py).
_LISTED = """
INSERT INTO outbound
    (id, origin, channel, account, external_chat_id, text, lane, flow, created_at, updated_at)
SELECT gen_random_uuid(), 'list', 'avito', 'default', chat, 'bulk-' || chat, 2, 'list', at, at
FROM (SELECT '2027-01-15'::timestamptz AS at) AS moment, unnest($1::text[]) AS chat
"""


async def answered_in(rush: Rush, chat: str) -> int:
    """A customer has written, an agent answers: ms from the commit until the vendor has it."""
    here = rush.post.here
    await here.resolve(message(f"m-{chat}", chat=chat))
    turn = await here.leased()
    await here.reply(turn, f"answer-{chat}")
    asked = rush.now
    await rush.run(30, until=f"answer-{chat}")
    return rush.vendor.sent[f"answer-{chat}"] - asked


@pytest.mark.promise("fair-out")
@pytest.mark.parametrize("door", ["bulk", "list"])
@pytest.mark.parametrize("per_second", [1.0, 20.0])
async def test_ten_thousand_messages_add_at_most_a_second_to_a_reply(
    redis_url: str, database_url: str, per_second: float, door: str
) -> None:
    """Also when the vendor takes one message a second, and nobody starves: the many go on all the while.

    The same replies with nobody beside them, and beside the many: one after the other, as fast as the vendor
    takes them.
    """
    async with rush(redis_url, database_url, per_second) as at:
        alone = [await answered_in(at, f"a{number}") for number in range(5)]
        await many(at.post, door)
        await at.run(3)

        beside = [await answered_in(at, f"c{number}") for number in range(5)]

        assert max(after - before for before, after in zip(alone, beside, strict=True)) <= 1000
        went = sum(text.startswith("bulk-") for text in at.vendor.sent)
        assert went >= 2 * per_second


@pytest.mark.promise("fair-out")
async def test_answers_that_never_end_do_not_starve_what_has_time(redis_url: str, database_url: str) -> None:
    """An answer for every turn of the vendor, for a minute: what has time stands in line after 5 s."""
    async with rush(redis_url, database_url, 1.0) as at:
        await many(at.post, "list")
        for number in range(60):
            urgent = outgoing(f"answer-{number}", f"c{number % 3}")
            await outbound.insert_outbound(at.post.here.pool, urgent, origin="tool", now=at.post.here.now)
            await at.run(1)

        assert sum(text.startswith("bulk-") for text in at.vendor.sent) >= 3


async def test_a_flow_has_a_window_and_an_account_two_patient_workers(
    redis_url: str, database_url: str
) -> None:
    """What waits, waits in the database: Redis holds a handful of tickets."""
    async with rush(redis_url, database_url, 1.0) as at:
        await many(at.post, "bulk")
        await at.post.relay.push_all()
        await at.post.line.arrive()

        stats = await at.post.line.chats.stats()
        assert stats.live_chats == 8
        await at.run(10)  # it has shown by then that it makes others wait
        await at.start()
        assert len(at.time.alarms) == PATIENT_AT_ONCE


async def test_several_flows_of_an_account_go_side_by_side(redis_url: str, database_url: str) -> None:
    """A second bulk does not wait for the end of the first."""
    async with rush(redis_url, database_url, 20.0) as at:
        await many(at.post, "bulk")
        await many(at.post, "list")
        await at.run(5)

        first = await at.post.here.value(
            "SELECT count(*) FROM outbound WHERE flow = 'list' AND state = 'sent'"
        )
        rest = await at.post.here.value(
            "SELECT count(*) FROM outbound WHERE flow <> 'list' AND state = 'sent'"
        )
        assert min(first, rest) >= 10


async def test_an_answer_in_a_chat_of_the_bulk_pulls_its_message_along(
    redis_url: str, database_url: str
) -> None:
    """The last of ten thousand chats: its order is kept, and it waits for nobody else's turn."""
    async with rush(redis_url, database_url, 1.0) as at:
        await many(at.post, "list")
        await at.run(2)

        assert await answered_in(at, f"b{MANY - 1}") <= 4000
        assert f"bulk-b{MANY - 1}" in at.vendor.sent
