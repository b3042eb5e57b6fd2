"""What nobody knows of is never resent silently: it is listed, and an operator decides."""

from collections.abc import AsyncIterator

import pytest

from core.deadletters import DeadLetters
from core.errors import OutcomeUnknown
from core.keys import Keys
from core.messages import OutgoingMessage
from orchestrator.store import settling
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
        channel="",
        account="",
        before=0,
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
