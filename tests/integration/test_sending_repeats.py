"""Where the vendor recognises a repeat by its key, a send in doubt is simply sent again."""

from typing import Any

import pytest

from core.capabilities import Capabilities
from core.errors import ChannelError, OutcomeUnknown, OutcomeUntraceable, RateLimited
from core.ids import MessageId
from core.sending import GRACE_MS
from core.testing import FAKE_LIMITS, FakeChannel, FakeChannelWithEverything, FakeChannelWithHistory
from tests.integration.intake_fixture import KEYS
from tests.integration.post_fixture import CHAT, Post, post

TWO = "Раз. " * 100 + "Два. " * 120
RECOGNISES = Capabilities(text_limit=1000, media=FAKE_LIMITS.media, repeat_window_seconds=3600)


async def lose(here: Post[Any], *, taken: bool, error: ChannelError | None = None) -> None:
    here.channel.fail(error or OutcomeUnknown(), taken=taken)
    with pytest.raises(type(error or OutcomeUnknown())):
        await here.replica().send_text(CHAT, TWO, "k")


async def test_every_part_has_a_key_of_its_own_which_a_repeat_uses_again(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(None)
        await lose(here, taken=False, error=RateLimited())
        await here.replica().send_text(CHAT, TWO, "k")

        assert [one.key for one in here.channel.taken] == ["k#0", "k#1"]


async def test_sends_without_a_key_have_different_ones(redis_url: str) -> None:
    async with post(redis_url, FakeChannel) as here:
        for _ in range(2):
            await here.replica().send_text(CHAT, "Да")

        keys = {one.key for one in here.channel.taken}
        assert len(keys) == 2
        assert all(key.endswith("#0") for key in keys)


@pytest.mark.parametrize("taken", [True, False])
async def test_a_send_in_doubt_is_repeated_at_once_and_arrives_once(redis_url: str, taken: bool) -> None:
    """There is neither a history here nor a grace to wait for."""
    async with post(redis_url, FakeChannel, capabilities=RECOGNISES) as here:
        await lose(here, taken=taken)

        sent = await here.replica().send_text(CHAT, TWO, "k")

        assert sent.message_ids == ("m1", "m2")
        assert [one.key for one in here.channel.taken] == ["k#0", "k#1"]


async def test_a_crash_after_the_vendor_took_it_is_repeated_without_a_double(redis_url: str) -> None:
    async with post(redis_url, FakeChannel, capabilities=RECOGNISES) as here:
        await here.kill_after(0, taken=True)
        here.after_the_lease()

        assert (await here.replica().send_text(CHAT, "Да", "k")).message_ids == ("m1",)
        assert here.texts == ["Да"]


async def test_after_the_window_a_repeat_is_looked_up_as_with_any_vendor(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory, capabilities=RECOGNISES) as here:
        await lose(here, taken=True)
        here.clock.move(3_600_000)

        assert (await here.replica().send_text(CHAT, TWO, "k")).message_ids == ("m1", "m2")
        assert len(here.texts) == 2


async def test_after_the_window_and_without_a_history_the_outcome_is_untraceable(redis_url: str) -> None:
    async with post(redis_url, FakeChannel, capabilities=RECOGNISES) as here:
        await lose(here, taken=True)
        here.clock.move(3_600_000)

        with pytest.raises(OutcomeUntraceable):
            await here.replica().send_text(CHAT, TWO, "k")
        assert here.channel.calls == 1


async def test_the_window_begins_with_the_first_try(redis_url: str) -> None:
    """Each repeat is a try, but what the vendor remembers is the first."""
    async with post(redis_url, FakeChannel, capabilities=RECOGNISES) as here:
        for _ in range(3):
            await lose(here, taken=True)
            here.clock.move(1_500_000)

        assert here.channel.calls == 3
        with pytest.raises(OutcomeUntraceable):
            await here.replica().send_text(CHAT, TWO, "k")
        assert (here.channel.calls, len(here.texts)) == (3, 1)


async def test_a_refused_repeat_does_not_end_the_doubt_of_the_first_try(redis_url: str) -> None:
    """The first may have arrived: after the window it must still be looked for, not sent anew."""
    async with post(redis_url, FakeChannelWithHistory, capabilities=RECOGNISES) as here:
        await lose(here, taken=True)
        await lose(here, taken=False, error=RateLimited(retry_after=1))
        here.clock.move(3_600_000 + GRACE_MS)

        assert (await here.replica().send_text(CHAT, TWO, "k")).message_ids == ("m1", "m2")
        assert len(here.texts) == 2


async def test_after_a_repeat_no_further_echo_is_expected(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithEverything, capabilities=RECOGNISES) as here:
        await lose(here, taken=True)
        assert await here.redis.exists(KEYS.sending("avito", "default", CHAT)) == 1

        sent = await here.replica().send_text(CHAT, TWO, "k")

        assert sent.message_ids == (MessageId("m1"), MessageId("m2"))
        assert await here.redis.exists(KEYS.sending("avito", "default", CHAT)) == 0
