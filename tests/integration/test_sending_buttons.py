"""Buttons stand under the last message of a text, a quote over the first, as far as the vendor has them."""

import pytest

from core.errors import IdempotencyConflict, OutcomeUnknown, Rejected
from core.testing import FAKE_RICH_LIMITS, FakeChannel, FakeChannelWithEverything
from tests.integration.post_fixture import CHAT, post

LONG = "Раз. " * 100 + "Два. " * 120
BOTH = ("Сегодня", "Завтра")


async def test_buttons_stand_under_the_text(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        sent = await here.replica().send_text(CHAT, "Когда?", "k", buttons=BOTH)

        [taken] = here.channel.taken
        assert (taken.text, taken.labels, taken.key) == ("Когда?", BOTH, "k#0")
        assert sent.message_ids == ("m1",)


async def test_a_long_text_begins_with_the_quote_and_ends_with_the_buttons(
    redis_url: str,
) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        await here.replica().send_text(CHAT, LONG, buttons=BOTH, reply_to="m-customer")

        assert [(one.labels, one.reply_to) for one in here.channel.taken] == [((), "m-customer"), (BOTH, "")]


async def test_on_a_single_message_buttons_win_over_the_quote(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        await here.replica().send_text(CHAT, "Когда?", buttons=BOTH, reply_to="m-customer")

        assert [(one.labels, one.reply_to) for one in here.channel.taken] == [(BOTH, "")]


@pytest.mark.parametrize("labels", [("1", "2", "3", "4"), ("Сегодня", "я" * 21)])
async def test_more_or_longer_buttons_than_the_vendor_has_are_numbered_lines(
    redis_url: str, labels: tuple[str, ...]
) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        await here.replica().send_text(CHAT, "Когда?\n", buttons=labels, reply_to="m-customer")

        lines = [f"{number}. {label}" for number, label in enumerate(labels, 1)]
        assert here.texts == ["\n".join(["Когда?", *lines])]
        assert [(one.labels, one.reply_to) for one in here.channel.taken] == [((), "m-customer")]


async def test_a_vendor_without_buttons_shows_numbered_lines_within_its_limit(redis_url: str) -> None:
    limits = FAKE_RICH_LIMITS.model_copy(update={"text_limit": 30})
    async with post(redis_url, FakeChannel, capabilities=limits) as here:
        await here.replica().send_text(CHAT, "Когда вам удобно?", buttons=BOTH)

        assert "\n".join(here.texts) == "Когда вам удобно?\n1. Сегодня\n2. Завтра"


async def test_a_vendor_that_cannot_quote_says_so(redis_url: str) -> None:
    async with post(redis_url, FakeChannel) as here:
        with pytest.raises(Rejected, match="cannot quote"):
            await here.replica().send_text(CHAT, "Да", reply_to="m1")
        assert here.channel.calls == 0


@pytest.mark.parametrize(("text", "labels"), [("", BOTH), (" \n", BOTH), ("Когда?", ("Сегодня", " "))])
async def test_buttons_need_words(redis_url: str, text: str, labels: tuple[str, ...]) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        with pytest.raises(Rejected):
            await here.replica().send_text(CHAT, text, buttons=labels)
        assert here.channel.calls == 0


async def test_the_same_words_with_other_buttons_are_another_message(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        await here.replica().send_text(CHAT, "Когда?", "k", buttons=BOTH)

        assert (await here.replica().send_text(CHAT, "Когда?", "k", buttons=BOTH)).duplicate
        with pytest.raises(IdempotencyConflict):
            await here.replica().send_text(CHAT, "Когда?", "k")
        with pytest.raises(IdempotencyConflict):
            await here.replica().send_text(CHAT, "Когда?", "k", reply_to="m1")


async def test_a_lost_text_with_buttons_is_found_by_its_words(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Когда?", "k", buttons=BOTH)

        assert (await here.replica().send_text(CHAT, "Когда?", "k", buttons=BOTH)).message_ids == ("m1",)
        assert here.texts == ["Когда?"]
