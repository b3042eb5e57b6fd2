"""A vendor that is down costs one message a try now and then, and no message its attempts."""

from collections.abc import AsyncIterator

import pytest

from core.errors import OutcomeUnknown, OutcomeUntraceable, RateLimited, Rejected, VendorDown
from orchestrator.breakers import Rules
from orchestrator.outbound_gauges import OutboundGauges
from tests.integration.chats_fixture import outgoing_line
from tests.integration.test_deliver import ATTEMPTS, Post, outgoing
from tests.integration.test_resolve_scene import scene

RULES = Rules(failures=2, first=10)


@pytest.fixture
async def post(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with outgoing_line(redis_url) as line, scene(database_url) as here:
        yield Post(line, here, RULES)


@pytest.mark.promise("breaker")
async def test_a_vendor_that_is_down_for_hours_spends_no_attempts_and_loses_nothing(post: Post) -> None:
    messages = [outgoing(str(number), f"c{number}") for number in range(6)]
    await post.queue(*messages)
    post.channels.fail(*(VendorDown() for _ in range(60)))

    for _ in range(40):
        await post.work()
        await post.wait(300)
    asked = len(post.channels.asked)
    tries = [(await post.delivery(one)).attempts for one in messages]
    post.channels.failures.clear()
    for _ in range(3):
        await post.work()
        await post.wait(300)

    assert asked <= 2 + 40  # one probe a pause
    assert max(tries) <= 1
    assert sorted(post.channels.texts) == ["0", "1", "2", "3", "4", "5"]
    assert await post.letters() == []


@pytest.mark.promise("breaker")
async def test_one_probe_asks_while_the_others_wait_with_their_reason(post: Post) -> None:
    messages = [outgoing(str(number), f"c{number}") for number in range(4)]
    await post.queue(*messages)
    post.channels.fail(VendorDown("Away."), VendorDown("Away."))
    await post.work()

    assert len(post.channels.asked) == 2
    assert {(await post.delivery(one)).error_detail for one in messages} == {"Away."}
    assert [one.state for one in post.deliverer.breakers.seen()] == ["open"]


@pytest.mark.parametrize("error", [Rejected, RateLimited, OutcomeUnknown])
async def test_what_concerns_one_message_says_nothing_of_the_account(
    post: Post, error: type[Exception]
) -> None:
    """A bad picture, a busy chat, a doubt that stays: other chats go on."""
    await post.queue(outgoing("bad", "c1"))
    for _ in range(2):
        post.channels.fail(error())
        await post.work()
        await post.wait(15)
    post.channels.failures.clear()
    await post.queue(outgoing("good", "c2"))
    await post.work()

    assert "good" in post.channels.texts


async def test_a_message_that_fails_while_its_account_is_well_is_given_up(post: Post) -> None:
    """It is the message then: others go out between its tries."""
    bad = outgoing("bad", "c1")
    await post.queue(bad)
    for number in range(ATTEMPTS):
        post.channels.fail(VendorDown(retry_after=5))
        await post.work()
        await post.queue(outgoing("good", f"d{number}"))
        await post.work()
        await post.wait(5)

    assert await post.state(bad) == "failed"


@pytest.mark.promise("unknown")
async def test_a_probe_that_nobody_can_ever_tell_of_is_given_up_and_its_chat_goes_on(post: Post) -> None:
    """A chat of Telegram once stood for an hour: its doubt was the probe of an account that was not well."""
    lost = [outgoing(f"lost {number}", f"c{number}") for number in range(RULES.failures)]
    await post.queue(*lost)
    post.channels.fail(*(OutcomeUnknown("No answer.", retry_after=1) for _ in lost))
    await post.work()
    await post.queue(*(outgoing("next", one.external_chat_id) for one in lost))
    for _ in lost:
        post.channels.fail(OutcomeUntraceable("No history."), None)
    for _ in range(4):
        await post.wait(20)
        await post.work()

    assert [(await post.delivery(one)).error_code for one in lost] == ["outcome_untraceable"] * len(lost)
    assert [letter.reason for letter in await post.letters()] == ["outcome_untraceable"] * len(lost)
    assert post.channels.texts == ["next"] * len(lost)


async def test_operators_see_breakers_depth_age_and_what_nobody_knows(post: Post) -> None:
    gauges = OutboundGauges(post.metrics, post.here.pool, post.deliverer.breakers, post.line.clock)
    await post.queue(outgoing("1", "c1"), outgoing("2", "c2"), outgoing("3", "c3"))
    post.channels.fail(OutcomeUnknown(), VendorDown())
    await post.work()
    await post.wait(7)
    await gauges.measure()

    def value(name: str, **more: str) -> float | None:
        labels = {"channel": "avito", "account": "default", **more}
        return post.metrics.registry.get_sample_value(f"eldoleado_{name}", labels)

    assert value("outbound_depth", state="waiting") == 3
    assert value("outbound_age_seconds") == 7
    assert value("outbound_unknown") == 1
    assert value("breaker_open") == 1
