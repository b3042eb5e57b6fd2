"""From the outbox to the queue: in order, and a crash in between repeats a push but no message."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.bell import Bell
from core.keys import Keys
from core.messages import OutgoingMessage
from orchestrator.relay import Relay
from orchestrator.store import outbound
from orchestrator.store.outbound import Failure
from orchestrator.store.outbox import Ticket
from tests.integration.chats_fixture import ManualClock, outgoing_line
from tests.integration.intake_fixture import connect, line_to
from tests.integration.test_deliver import Post, outgoing
from tests.integration.test_resolve_scene import Scene, scene

SOURCE = Keys().tickets.source
MINUTE = 60_000


class Outbox:
    """Accepted messages and the relay that pushes them."""

    def __init__(self, here: Scene, redis: Redis, relayed_over: Redis | None = None) -> None:
        self.here = here
        self.redis = redis
        self.clock = ManualClock()
        self.bell = Bell(redis, Keys().bell("outbox"))
        self.relay = self.replica(relayed_over or redis)

    def replica(self, redis: Redis) -> Relay:
        return Relay(self.here.pool, redis, SOURCE, bell=self.bell, clock=self.clock)

    async def accept(self, *texts: str, **more: Any) -> list[OutgoingMessage]:
        messages = [outgoing(text, **more) for text in texts]
        for message in messages:
            await outbound.insert_outbound(self.here.pool, message, origin="tool", now=self.here.now)
        return messages

    async def pushed(self) -> list[str]:
        """The texts that the tickets stand for."""
        ids = [UUID(json.loads(row)["id"]) for row in await self.redis.lrange(SOURCE, 0, -1)]
        found = [await outbound.get_delivery(self.here.pool, one) for one in ids]
        return [one.text for one in found if one is not None]

    async def until_pushed(self, count: int) -> list[str]:
        """What lies in the queue, once there is so much; every push to it wakes us."""
        async with asyncio.timeout(20):
            while len(texts := await self.pushed()) < count:
                await self.bell.wait(self.bell.ticket, 0.01)
        return texts

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.relay.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def outbox(redis_url: str, database_url: str) -> AsyncIterator[Outbox]:
    async with scene(database_url) as here, connect(redis_url) as redis:
        yield Outbox(here, redis)


async def test_what_was_accepted_is_pushed_in_order_and_once(outbox: Outbox) -> None:
    accepted = await outbox.accept("1", "2", "3", buttons=["Да"], reply_to="m0")
    accepted += await outbox.accept("", file_url="https://f", file_kind="video")

    await outbox.relay.push_all()
    await outbox.relay.push_all()

    rows = await outbox.redis.lrange(SOURCE, 0, -1)
    assert [Ticket.model_validate_json(row).id for row in rows] == [one.id for one in accepted]


async def test_a_ticket_names_the_chat_and_says_no_word(outbox: Outbox) -> None:
    """What waits in Redis is no copy of what we say: an erased client leaves nothing there."""
    [message] = await outbox.accept("секрет", chat="c/1 {x}", account="shop", image_url="https://i/1")

    await outbox.relay.push_all()

    [row] = await outbox.redis.lrange(SOURCE, 0, -1)
    assert json.loads(row) == {
        "id": str(message.id),
        "channel": "avito",
        "account": "shop",
        "external_chat_id": "c/1 {x}",
        "lane": 1,
    }


async def test_a_message_goes_out_with_all_that_it_had(redis_url: str, database_url: str) -> None:
    async with outgoing_line(redis_url) as line, scene(database_url) as here:
        post = Post(line, here)
        message = outgoing("да", chat="c/1 {x}", account="shop", image_url="https://i/1")
        await outbound.insert_outbound(here.pool, message, origin="tool", now=here.now)

        await post.work()

        assert post.channels.taken == [message]


async def test_more_than_one_load_is_pushed_to_the_end(outbox: Outbox) -> None:
    await outbox.accept(*(str(number) for number in range(401)))

    await outbox.relay.push_all()

    assert await outbox.pushed() == [str(number) for number in range(401)]


async def test_relays_of_several_replicas_push_each_message_once_and_in_order(outbox: Outbox) -> None:
    await outbox.accept(*(str(number) for number in range(250)))

    await asyncio.gather(*(outbox.replica(outbox.redis).push_all() for _ in range(4)))

    assert await outbox.pushed() == [str(number) for number in range(250)]


async def test_a_crash_between_push_and_mark_pushes_again_and_the_customer_sees_one(
    redis_url: str, database_url: str
) -> None:
    """Redis took the push and its answer was lost."""
    async with line_to(redis_url) as line, scene(database_url) as here, outgoing_line(redis_url) as queue:
        async with Redis.from_url(line.url, socket_timeout=0.2, retry=None) as lossy:
            outbox = Outbox(here, queue.redis, relayed_over=lossy)
            await lossy.ping()
            [first, _] = await outbox.accept("1", "2")
            line.lose_answers()
            with pytest.raises(RedisError):
                await outbox.relay.push_all()
        assert await outbox.pushed() == ["1", "2"]

        await outbox.replica(queue.redis).push_all()
        assert await outbox.pushed() == ["1", "2", "1", "2"]
        post = Post(queue, here)
        while await post.work():
            pass

        assert post.channels.texts == ["1", "2"]
        assert await post.state(first) == "sent"
        assert await post.letters() == []


async def test_nothing_is_marked_while_redis_is_away_and_all_is_pushed_when_it_is_back(
    redis_url: str, database_url: str
) -> None:
    async with (
        line_to(redis_url) as line,
        scene(database_url) as here,
        connect(redis_url) as redis,
        connect(line.url) as cut,
    ):
        outbox = Outbox(here, redis, relayed_over=cut)
        await outbox.accept("1", "2")
        await line.cut()
        async with outbox.running():
            await outbox.bell.wait(outbox.bell.ticket, 0.3)
            assert await outbox.pushed() == []
            await line.mend()

            assert await outbox.until_pushed(2) == ["1", "2"]


async def test_the_bell_wakes_it_before_its_next_look(outbox: Outbox) -> None:
    """A reply must not wait for the sweep of a second."""
    async with outbox.running():
        await outbox.accept("0")
        await outbox.until_pushed(1)
        started = asyncio.get_running_loop().time()
        for number in range(1, 6):
            await outbox.accept(str(number))
            await outbox.bell.ring()
            await outbox.until_pushed(number + 1)

        assert asyncio.get_running_loop().time() - started < 3


async def test_without_a_bell_it_looks_by_itself(outbox: Outbox) -> None:
    async with outbox.running():
        await outbox.accept("1")

        assert await outbox.until_pushed(1) == ["1"]


async def test_what_redis_lost_is_pushed_again_after_a_while(outbox: Outbox) -> None:
    await outbox.accept("1")
    await outbox.relay.push_all()
    await outbox.redis.delete(SOURCE)
    outbox.clock.move(14 * MINUTE)
    await outbox.relay.push_all()
    assert await outbox.pushed() == []

    outbox.clock.move(2 * MINUTE)
    await outbox.relay.push_all()

    assert await outbox.pushed() == ["1"]


async def test_what_is_sent_or_given_up_is_never_pushed_again(outbox: Outbox) -> None:
    sent, failed = await outbox.accept("1", "2")
    await outbox.relay.push_all()
    await outbox.redis.delete(SOURCE)
    for message in (sent, failed):
        await outbound.begin_sending(outbox.here.pool, message.id, now=outbox.here.now)
    await outbound.mark_sent(outbox.here.pool, sent.id, ["v1"], now=outbox.here.now)
    await outbound.mark_failed(outbox.here.pool, failed.id, Failure("x", ""), now=outbox.here.now)

    outbox.clock.move(60 * MINUTE)
    await outbox.relay.push_all()

    assert await outbox.pushed() == []
