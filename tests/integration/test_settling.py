"""What nobody knows of is never resent silently: it is listed, and an operator decides."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.deadletters import DeadLetters
from core.errors import ConversationPaused, OutcomeUnknown
from core.keys import Keys
from core.messages import OutgoingMessage
from orchestrator.clients import chat_key
from orchestrator.store import outbound, settling
from orchestrator.store.outbound import Owner
from orchestrator.store.queries import sql
from tests.integration.test_deliver import ATTEMPTS, Post, opened, outgoing


@pytest.fixture
async def post(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with opened(redis_url, database_url) as made:
        yield made


async def given_up(post: Post) -> OutgoingMessage:
    """A message of which nobody knows, and nobody looks any more."""
    made = outgoing()
    await post.queue(made)
    post.channels.fail(*(OutcomeUnknown(retry_after=1) for _ in range(ATTEMPTS)), taken=True)
    for _ in range(ATTEMPTS):
        await post.work()
        await post.wait(1)
    return made


async def listed(post: Post, state: str = "unknown") -> list[str]:
    found = await settling.listed(
        post.here.pool,
        state,  # type: ignore[arg-type]  # any state
        of=settling.Of(),
        limit=10,
    )
    return [str(one.id) for one in found]


@pytest.mark.promise("unknown")
async def test_what_was_given_up_stays_unknown_and_is_never_sent_again_by_itself(post: Post) -> None:
    """Not by a sweep either, however long it lies there."""
    made = await given_up(post)
    asked = len(post.channels.asked)

    for _ in range(5):
        await post.wait(3600)
        await post.work()

    assert len(post.channels.asked) == asked
    assert await post.state(made) == "unknown"
    assert await listed(post) == [str(made.id)]


@pytest.mark.promise("unknown")
@pytest.mark.parametrize(("outcome", "state"), [("sent", "sent"), ("not_sent", "failed")])
async def test_an_operator_writes_down_what_became_of_it(post: Post, outcome: str, state: str) -> None:
    made = await given_up(post)
    now = post.here.now

    settled = await settling.settle(
        post.here.pool,
        made.id,
        outcome,  # type: ignore[arg-type]  # one of the two
        by="anna",
        now=now,
    )

    assert settled is not None
    assert settled.state == state
    assert await listed(post) == []
    assert await settling.settle(post.here.pool, made.id, "sent", by="anna", now=now) is None


@pytest.mark.promise("unknown")
async def test_an_operator_sends_it_anew_as_a_message_of_its_own_and_once(post: Post) -> None:
    """Its letter, replayed afterwards, sends nothing: what was decided holds."""
    made = await given_up(post)
    first = await settling.resend(post.here.pool, made.id, by="anna", now=post.here.now)
    again = await settling.resend(post.here.pool, made.id, by="anna", now=post.here.now)
    assert first is not None
    assert again is not None
    assert (first.delivery.id, first.created, again.created) == (again.delivery.id, True, False)
    [letter] = await post.letters()
    source = post.door.keys.source
    assert await DeadLetters(post.line.redis, Keys()).replay("outgoing", letter.id, source)
    await post.door.arrive()
    post.channels.asked.clear()

    while await post.work():
        pass

    assert [one.id for one in post.channels.asked] == [first.delivery.id]
    assert await post.state(made) == "failed"


async def test_one_that_is_still_looked_for_is_not_settled(post: Post) -> None:
    made = outgoing()
    await post.queue(made)
    post.channels.fail(OutcomeUnknown())
    await post.work()

    assert await settling.settle(post.here.pool, made.id, "sent", by="anna", now=post.here.now) is None
    assert await settling.resend(post.here.pool, made.id, by="anna", now=post.here.now) is None


@pytest.mark.promise("order")
async def test_what_is_sent_anew_stands_behind_what_is_being_accepted(post: Post) -> None:
    """A reply has its number and is not committed yet: a sender that runs now must not overtake it."""
    made = await given_up(post)
    pool, now = post.here.pool, post.here.now
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(sql("lock_keys"), [chat_key("avito", "default", "c1")])
        await outbound.accept(connection, outgoing("раньше"), Owner(), origin="tool", now=now)
        resent = asyncio.create_task(settling.resend(pool, made.id, by="anna", now=now))
        await asyncio.wait({resent}, timeout=0.5)
        working = asyncio.create_task(post.work())
        await asyncio.wait({working}, timeout=0.5)

    assert await resent
    await working
    while await post.work():
        pass

    assert post.channels.texts == ["Готово", "раньше", "Готово"]


@pytest.mark.promise("unknown")
async def test_one_that_is_sent_anew_and_replayed_at_once_goes_out_one_way_only(post: Post) -> None:
    """Whoever is first decides, and the other is told that there is nothing left to decide."""
    made = await given_up(post)
    pool, now = post.here.pool, post.here.now
    asked = len(post.channels.asked)

    resent, replayed = await asyncio.gather(
        settling.resend(pool, made.id, by="anna", now=now),
        pool.fetchval(sql("resend_outbound"), made.id, now),
    )
    assert (resent is None) != (replayed is None)

    while await post.work():
        pass
    assert len(post.channels.asked) == asked + 1


@pytest.mark.promise("pause-doors")
async def test_what_a_person_has_is_not_sent_anew_and_stays_undecided(post: Post) -> None:
    made = await given_up(post)
    await post.here.pool.execute(
        "INSERT INTO pauses (channel, account, external_chat_id, cause, started_at, version)"
        " VALUES ('avito', 'default', 'c1', 'command', now(), 1)"
    )

    with pytest.raises(ConversationPaused):
        await settling.resend(post.here.pool, made.id, by="anna", now=post.here.now)

    assert await post.state(made) == "unknown"
