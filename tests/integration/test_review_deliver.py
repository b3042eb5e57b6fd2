"""What is accepted goes out however long the account's queue is: waiting for a turn is no failure."""

from collections.abc import AsyncIterator

import pytest

from core.errors import ChannelError, OutcomeUnknown, RateLimited, Rejected, SendInProgress, VendorDown
from tests.integration.chats_fixture import outgoing_line
from tests.integration.test_deliver import ATTEMPTS, Post, outgoing
from tests.integration.test_resolve_scene import scene


@pytest.fixture
async def post(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with outgoing_line(redis_url) as line, scene(database_url) as here:
        yield Post(line, here)


@pytest.mark.promise("no-loss-channel")
@pytest.mark.parametrize("error", [RateLimited, SendInProgress])
async def test_a_message_outwaits_a_long_queue_of_its_account(post: Post, error: type[ChannelError]) -> None:
    """20 senders and one request a second: 108 of 200 replies ended as dead letters after eight refusals."""
    message = outgoing()
    await post.queue(message)
    post.channels.fail(*(error("Not yet.", retry_after=11) for _ in range(5 * ATTEMPTS)))

    for _ in range(5 * ATTEMPTS):
        assert await post.work() == 1
        await post.wait(11)
    await post.work()

    assert await post.letters() == []
    delivery = await post.delivery(message)
    assert (delivery.state, delivery.attempts) == ("sent", 1)


async def test_waiting_leaves_all_attempts_to_failures(post: Post) -> None:
    message = outgoing()
    await post.queue(message)
    post.channels.fail(RateLimited(retry_after=1), VendorDown(retry_after=1), RateLimited(retry_after=1))
    post.channels.fail(*(VendorDown(retry_after=1) for _ in range(ATTEMPTS - 1)))

    for _ in range(ATTEMPTS + 2):
        assert await post.work() == 1
        await post.wait(1)

    assert [letter.reason for letter in await post.letters()] == ["vendor_down"]
    assert (await post.delivery(message)).attempts == ATTEMPTS


async def test_nothing_waits_for_its_turn_longer_than_a_day(post: Post) -> None:
    """An account that is refused for ever must not hold its chats for ever."""
    message = outgoing()
    await post.queue(message)
    post.channels.fail(*(RateLimited(retry_after=1) for _ in range(ATTEMPTS + 1)))
    await post.work()
    await post.wait(24 * 3600)

    for _ in range(ATTEMPTS):
        assert await post.work() == 1
        await post.wait(1)

    assert [letter.reason for letter in await post.letters()] == ["rate_limited"]


@pytest.mark.promise("unknown")
@pytest.mark.parametrize("later", [VendorDown, Rejected, SendInProgress])
async def test_what_nobody_knows_is_never_reported_as_not_sent(post: Post, later: type[ChannelError]) -> None:
    """The customer may have it: a channel that is away, or refuses before it has looked, proves nothing."""
    message = outgoing()
    await post.queue(message)
    post.channels.fail(OutcomeUnknown(retry_after=1), taken=True)
    post.channels.fail(*(later(retry_after=1) for _ in range(ATTEMPTS - 1)))

    seen = set()
    for _ in range(ATTEMPTS):
        await post.work()
        await post.wait(1)
        seen.add(await post.state(message))

    assert seen == {"unknown"}
