"""A message that is put off: kept in the database, sent when it is due, or cancelled before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.messages import OutgoingMessage
from orchestrator.merges import alone_with
from orchestrator.store import outbound, settling
from orchestrator.store.pool import Connection
from tests.integration.test_deliver import Post, opened, outgoing
from tests.integration.test_resolve_scene import message


@pytest.fixture
async def post(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with opened(redis_url, database_url) as made:
        yield made


def now(post: Post) -> datetime:
    return datetime.fromtimestamp(post.line.now / 1000, UTC)


async def accepted(post: Post, text: str, after: float = 0, **more: Any) -> OutgoingMessage:
    at = {"send_at": (now(post) + timedelta(seconds=after)).isoformat()} if after else {}
    made = outgoing(text, **at, **more)
    await outbound.insert_outbound(post.here.pool, made, origin="tool", now=now(post))
    return made


async def drained(post: Post) -> list[str]:
    while await post.work():
        pass
    return post.channels.texts


@pytest.mark.promise("scheduled")
async def test_it_goes_at_its_time_and_not_before(post: Post) -> None:
    """Also through a restart of everything: nothing of it lies in Redis, or in a process."""
    made = await accepted(post, "later", 3600)
    await post.wait(3599)
    assert await drained(post) == []
    assert await post.state(made) == "scheduled"
    await post.line.redis.flushdb()

    await post.wait(1)

    assert await drained(post) == ["later"]


@pytest.mark.promise("scheduled")
async def test_it_takes_its_place_in_the_chat_when_it_is_due(post: Post) -> None:
    """It holds nobody up before, and does not push ahead of what was accepted meanwhile."""
    await accepted(post, "at 20", 20)
    await accepted(post, "at 10", 10)
    await accepted(post, "at once")
    assert await drained(post) == ["at once"]
    await post.wait(9)
    await accepted(post, "at 9")
    await post.wait(15)
    await accepted(post, "at 24")

    assert await drained(post) == ["at once", "at 9", "at 24", "at 10", "at 20"]


async def test_many_that_are_due_at_once_go_by_their_times(post: Post) -> None:
    for after in (30, 10, 20):
        await accepted(post, str(after), after)
    await post.wait(60)

    assert await drained(post) == ["10", "20", "30"]


@pytest.mark.promise("scheduled")
async def test_one_of_a_client_who_is_being_merged_waits_and_stops_nothing(post: Post) -> None:
    """The relay neither waits for who has the chat, nor makes them wait: the two would do so in a circle."""
    here = post.here
    theirs = await here.resolve(message("1", chat="c1"))
    made, others = await accepted(post, "later", 60, chat="c1"), await accepted(post, "other", 60, chat="c2")
    await post.wait(60)

    async def work(connection: Connection, rows: dict[int, Any]) -> None:
        async with asyncio.timeout(10):
            await post.relay.push_all()
        assert (await post.state(made), await post.state(others)) == ("scheduled", "queued")
        await connection.execute("UPDATE outbound SET client_id = client_id WHERE id = $1", made.id)

    assert theirs.client_id is not None
    await alone_with(here.pool, [theirs.client_id], work)

    assert sorted(await drained(post)) == ["later", "other"]


@pytest.mark.promise("scheduled")
async def test_it_is_history_when_it_is_said_and_not_before(post: Post) -> None:
    here = post.here
    await here.resolve(message("1", chat="c1"))
    await accepted(post, "later", 60)
    written = "SELECT message_text FROM messages_history WHERE direction = 'out'"
    assert await here.rows(written) == []
    await post.wait(60)
    await drained(post)

    assert await here.rows(written) == [("later",)]


@pytest.mark.promise("scheduled")
async def test_it_is_cancelled_before_it_goes(post: Post) -> None:
    here = post.here
    await here.resolve(message("1", chat="c1"))
    put_off, waiting, gone = (
        await accepted(post, "a", 60),
        await accepted(post, "b"),
        await accepted(post, "c"),
    )
    await post.relay.push_all()
    for one in (put_off, waiting):
        assert await settling.cancel(here.pool, one.id, now=now(post)) is not None
    await post.wait(61)

    assert await drained(post) == ["c"]
    assert [await post.state(one) for one in (put_off, waiting, gone)] == ["cancelled", "cancelled", "sent"]
    assert await settling.cancel(here.pool, gone.id, now=now(post)) is None
    said = await here.rows("SELECT message_text FROM messages_history WHERE direction = 'out'")
    assert said == [("c",)]


async def test_a_time_that_is_past_means_now(post: Post) -> None:
    await accepted(post, "late", -60)

    assert await drained(post) == ["late"]


@pytest.mark.promise("foreign")
async def test_a_producer_may_put_off_what_it_pushes(post: Post) -> None:
    when = now(post) + timedelta(seconds=30)
    await post.queue(outgoing("later", send_at=when.isoformat(), idempotency_key="k"))
    assert await drained(post) == []
    await post.wait(30)
    assert await drained(post) == ["later"]

    await post.queue(outgoing("later", send_at=when.isoformat(), idempotency_key="k"))

    assert await drained(post) == ["later"]
