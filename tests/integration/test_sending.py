"""One idempotency key is one message, through refusals, lost answers, crashes and replicas."""

import asyncio
from typing import Any

import pytest

from core.capabilities import Capabilities
from core.echoes import Echoes
from core.errors import (
    ChannelError,
    IdempotencyConflict,
    OutcomeUnknown,
    OutcomeUntraceable,
    RateLimited,
    Rejected,
    SendInProgress,
    StorageDown,
    VendorDown,
)
from core.ids import ChatId, MessageId
from core.sending import GRACE_MS, HISTORY_PAGE, HISTORY_PAGES
from core.testing import FakeChannel, FakeChannelWithHistory, Posted
from tests.integration.intake_fixture import KEYS, Line, connect, line_to
from tests.integration.post_fixture import CHAT, LEASE_MS, post

THREE = "Раз. " * 100 + "Два. " * 100 + "Три. " * 100


# --- once -------------------------------------------------------------------------------------------------


async def test_a_text_is_sent_and_its_id_told(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        sent = await here.replica().send_text(CHAT, "Да")

        assert (sent.message_ids, sent.duplicate) == (("m1",), False)
        assert here.texts == ["Да"]


async def test_a_long_text_arrives_in_parts_in_order(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        sent = await here.replica().send_text(CHAT, THREE)

        assert sent.message_ids == ("m1", "m2")
        assert " ".join(here.texts) == THREE.strip()


async def test_without_a_key_the_same_words_are_two_messages(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        await here.replica().send_text(CHAT, "Да")
        await here.replica().send_text(CHAT, "Да")

        assert here.texts == ["Да", "Да"]


async def test_a_repeated_key_answers_the_same_ids_and_sends_nothing(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        first = await here.replica().send_text(CHAT, THREE, "k")
        again = await here.replica().send_text(CHAT, THREE, "k")

        assert again.duplicate
        assert again.message_ids == first.message_ids
        assert here.channel.calls == 2


@pytest.mark.parametrize(("chat", "text"), [(CHAT, "Нет"), (ChatId("u2i-2"), "Да")])
async def test_a_key_stands_for_one_message_only(redis_url: str, chat: ChatId, text: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        await here.replica().send_text(CHAT, "Да", "k")

        with pytest.raises(IdempotencyConflict):
            await here.replica().send_text(chat, text, "k")
        assert here.texts == ["Да"]


async def test_two_replicas_with_one_key_send_one_message(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        outcomes = await asyncio.gather(
            *(here.replica().send_text(CHAT, "Да", "k") for _ in range(6)), return_exceptions=True
        )

        busy = [one for one in outcomes if isinstance(one, SendInProgress)]
        assert len(busy) == 5
        assert all(one.retry_after and 0 < one.retry_after <= LEASE_MS / 1000 for one in busy)
        assert here.texts == ["Да"]


@pytest.mark.parametrize("empty", ["", " \n"])
async def test_an_empty_text_is_refused(redis_url: str, empty: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        with pytest.raises(Rejected):
            await here.replica().send_text(CHAT, empty)


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RateLimited(retry_after=3), VendorDown(), Rejected()])
async def test_after_a_refusal_a_repeat_goes_on_at_the_same_part(redis_url: str, error: ChannelError) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(None)
        here.channel.fail(error)
        with pytest.raises(type(error)):
            await here.replica().send_text(CHAT, THREE, "k")

        sent = await here.replica().send_text(CHAT, THREE, "k")

        assert sent.message_ids == ("m1", "m2")
        assert " ".join(here.texts) == THREE.strip()


async def test_a_send_without_a_key_that_broke_off_tells_the_key_to_go_on_with(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(None)
        here.channel.fail(RateLimited())
        with pytest.raises(RateLimited) as refused:
            await here.replica().send_text(CHAT, THREE)

        key = refused.value.detail.rpartition(" ")[2].rstrip(".")
        await here.replica().send_text(CHAT, THREE, key)
        assert " ".join(here.texts) == THREE.strip()


# --- doubt ------------------------------------------------------------------------------------------------


async def test_a_lost_answer_is_unknown_and_a_repeat_finds_the_message(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, THREE, "k")

        sent = await here.replica().send_text(CHAT, THREE, "k")

        assert sent.message_ids == ("m1", "m2")
        assert " ".join(here.texts) == THREE.strip()


async def test_a_crash_in_the_vendors_client_is_unknown_too(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(KeyError("no id in the answer"), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")

        assert (await here.replica().send_text(CHAT, "Да", "k")).message_ids == ("m1",)


async def test_what_the_history_does_not_show_yet_is_not_sent_again(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        here.channel.hidden = 1
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")
        here.clock.move(GRACE_MS - 4000)

        with pytest.raises(OutcomeUnknown) as waiting:
            await here.replica().send_text(CHAT, "Да", "k")

        assert waiting.value.retry_after == 4
        assert here.channel.calls == 1


async def test_what_never_arrived_is_sent_after_the_grace(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(OutcomeUnknown())
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")
        here.clock.move(GRACE_MS)

        assert (await here.replica().send_text(CHAT, "Да", "k")).message_ids == ("m1",)
        assert here.texts == ["Да"]


async def test_without_a_history_a_repeat_says_that_nobody_will_ever_tell(redis_url: str) -> None:
    async with post(redis_url, FakeChannel) as here:
        here.channel.fail(OutcomeUnknown())
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")
        for _ in range(2):
            here.clock.move(GRACE_MS)
            with pytest.raises(OutcomeUntraceable):
                await here.replica().send_text(CHAT, "Да", "k")

        assert here.channel.calls == 1


async def test_the_same_words_of_another_send_are_not_taken_for_ours(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(OutcomeUnknown())
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "lost")
        await here.replica().send_text(CHAT, "Да", "other")
        here.clock.move(GRACE_MS)

        sent = await here.replica().send_text(CHAT, "Да", "lost")

        assert sent.message_ids == ("m2",)
        assert here.texts == ["Да", "Да"]


async def test_the_same_words_of_last_week_are_not_taken_for_ours(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        await here.channel.send_text(CHAT, "Да")
        here.clock.move(60_000)
        here.channel.fail(OutcomeUnknown())
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")
        here.clock.move(GRACE_MS)

        assert (await here.replica().send_text(CHAT, "Да", "k")).message_ids == ("m2",)


async def test_what_too_much_was_written_over_is_not_looked_for_for_ever(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")
        for number in range(HISTORY_PAGE * HISTORY_PAGES):
            await here.channel.send_text(CHAT, f"operator {number}")

        with pytest.raises(OutcomeUntraceable):
            await here.replica().send_text(CHAT, "Да", "k")
        assert here.texts.count("Да") == 1


async def test_what_the_history_does_not_reach_back_to_is_not_looked_for_for_ever(redis_url: str) -> None:
    """Instagram shows the newest twenty messages of a chat."""
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.shown = 20
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")
        for number in range(21):
            await here.channel.send_text(CHAT, f"operator {number}")

        with pytest.raises(OutcomeUntraceable, match="newest 20"):
            await here.replica().send_text(CHAT, "Да", "k")
        assert here.texts.count("Да") == 1


async def test_a_message_is_found_behind_many_newer_ones(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "k")
        for number in range(250):
            await here.channel.send_text(CHAT, f"operator {number}")

        assert (await here.replica().send_text(CHAT, "Да", "k")).message_ids == ("m1",)


# --- crashes ----------------------------------------------------------------------------------------------


async def test_a_crash_after_the_vendor_took_it_does_not_double(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        await here.kill_after(1, taken=True, text=THREE)
        with pytest.raises(SendInProgress):
            await here.replica().send_text(CHAT, THREE, "k")
        here.after_the_lease()

        assert (await here.replica().send_text(CHAT, THREE, "k")).message_ids == ("m1", "m2")
        assert " ".join(here.texts) == THREE.strip()


async def test_a_crash_before_the_vendor_took_it_does_not_lose(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        await here.kill_after(1, taken=False, text=THREE)
        here.after_the_lease()

        assert (await here.replica().send_text(CHAT, THREE, "k")).message_ids == ("m1", "m2")
        assert " ".join(here.texts) == THREE.strip()


async def test_a_crash_between_remembering_the_id_and_writing_the_record_does_not_double(
    redis_url: str,
) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        await here.kill_after(0, taken=True)
        await Echoes(here.redis, KEYS).remember(here.channel, MessageId("m1"), by="k#0")
        here.after_the_lease()

        assert (await here.replica().send_text(CHAT, "Да", "k")).message_ids == ("m1",)
        assert here.texts == ["Да"]


async def test_a_caller_that_is_cancelled_does_not_leave_half_a_message(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        under_way = asyncio.Event()

        async def tell(_: Posted) -> None:
            under_way.set()

        here.channel.before_answer = tell
        sender = here.replica()
        caller = asyncio.create_task(sender.send_text(CHAT, THREE, "k"))
        await under_way.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await sender.close()

        assert " ".join(here.texts) == THREE.strip()
        assert (await sender.send_text(CHAT, THREE, "k")).duplicate


async def test_an_attempt_that_lost_its_lease_does_not_write_over_the_next_one(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:

        async def stall(_: Posted) -> None:
            """The first attempt stalls in its first part; a second one takes over and finishes."""
            here.channel.before_answer = at_once
            here.after_the_lease()
            await here.replica().send_text(CHAT, THREE, "k")

        async def at_once(_: Posted) -> None: ...

        here.channel.before_answer = stall
        with pytest.raises(SendInProgress):
            await here.replica().send_text(CHAT, THREE, "k")

        assert " ".join(here.texts) == THREE.strip()
        assert (await here.replica().send_text(CHAT, THREE, "k")).message_ids == ("m1", "m2")


# --- our own storage --------------------------------------------------------------------------------------


async def test_without_redis_nothing_is_sent() -> None:
    async with post("redis://127.0.0.1:1/0", FakeChannel) as here:
        with pytest.raises(StorageDown):
            await here.replica().send_text(CHAT, "Да", "k")
        assert here.channel.calls == 0


async def test_redis_going_away_during_the_send_does_not_make_it_unsent(redis_url: str) -> None:
    async with (
        line_to(redis_url) as line,
        connect(line.url) as shaky,
        post(redis_url, FakeChannelWithHistory) as here,
    ):
        here.channel.before_answer = cutting(line)
        sent = await here.replica(shaky).send_text(CHAT, "Да", "k")
        assert sent.message_ids == ("m1",)

        here.after_the_lease()
        assert (await here.replica().send_text(CHAT, "Да", "k")).message_ids == ("m1",)
        assert here.texts == ["Да"]


async def test_redis_going_away_between_parts_stops_before_the_next_and_a_repeat_goes_on(
    redis_url: str,
) -> None:
    async with (
        line_to(redis_url) as line,
        connect(line.url) as shaky,
        post(redis_url, FakeChannelWithHistory) as here,
    ):
        here.channel.before_answer = cutting(line)
        with pytest.raises(StorageDown):
            await here.replica(shaky).send_text(CHAT, THREE, "k")
        assert len(here.texts) == 1

        here.after_the_lease()
        assert (await here.replica().send_text(CHAT, THREE, "k")).message_ids == ("m1", "m2")
        assert " ".join(here.texts) == THREE.strip()


def cutting(line: Line) -> Any:
    async def cut(_: Posted) -> None:
        await line.cut()

    return cut


async def test_every_sent_id_is_known_as_ours(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        await here.replica().send_text(CHAT, THREE, "k")

        senders = await Echoes(here.redis, KEYS).senders_of(here.channel, [MessageId("m1"), MessageId("m2")])
        assert senders == ["k#0", "k#1"]
        assert await here.redis.exists(KEYS.sending("avito", "default", CHAT)) == 0


async def test_the_limit_of_the_vendor_is_read_from_its_manifest(redis_url: str) -> None:
    limits = Capabilities(text_limit=10)
    async with post(redis_url, FakeChannelWithHistory, capabilities=limits) as here:
        await here.replica().send_text(CHAT, "одно слово другое")

        assert here.texts == ["одно слово", "другое"]


@pytest.mark.promise("unknown")
async def test_a_doubt_outlasts_the_weekend_and_a_sent_message_does_not(redis_url: str) -> None:
    """A dead letter that is replayed on Monday must find what is known of Friday's attempt."""
    async with post(redis_url, FakeChannelWithHistory) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_text(CHAT, "Да", "doubtful")
        await here.replica().send_text(CHAT, "Нет", "done")

        days = [
            await here.redis.pttl(KEYS.idempotency("avito", "default", key)) / 86_400_000
            for key in ("doubtful", "done")
        ]
        assert [round(left) for left in days] == [30, 2]
