"""From the queue to the turn: why it closed, what is in it, and how others lose or mix messages here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.channel import Arrival
from core.chats import Window
from core.inbox import Inbox, Pace
from core.keys import Keys
from core.messages import IncomingMessage
from core.spool import Spool
from orchestrator.history import messages_of_turn
from tests.integration.chats_fixture import LEASE_MS, SECOND, incoming
from tests.integration.test_debounce import Desk, opened


@pytest.fixture
async def desk(redis_url: str, database_url: str) -> AsyncIterator[Desk]:
    async with opened(redis_url, database_url) as made:
        yield made


async def closed_by(desk: Desk) -> list[str]:
    """Why each turn closed, after everything that is due now was worked on."""
    for lease in await desk.line.take():
        await desk.debouncer.work(lease)
    return [why for _, _, why, _ in await desk.turns()]


def said(number: str, second: int = 0, **more: Any) -> dict[str, Any]:
    """A message of that number, written at that second."""
    at = f"2027-01-15T08:00:{second:02}Z"
    return incoming(f"text of {number}", external_message_id=number, timestamp=at, **more)


# --- why it closed ----------------------------------------------------------------------------------------


@pytest.mark.promise("closed_by")
@pytest.mark.parametrize(
    ("event", "text", "why"), [("postback", "Да", "button"), ("message", "/start", "command")]
)
async def test_a_button_or_a_command_is_a_turn_at_once(desk: Desk, event: str, text: str, why: str) -> None:
    await desk.write(incoming("Здравствуйте"))
    await desk.write(incoming(text, event=event))
    assert await closed_by(desk) == [why]


@pytest.mark.promise("closed_by")
async def test_an_operator_s_words_close_what_the_customer_wrote(desk: Desk) -> None:
    await desk.write(incoming("Здравствуйте"))
    await desk.write(incoming("Добрый день, это Олег", event="operator_message"))
    assert await closed_by(desk) == ["takeover"]
    assert await desk.here.rows("SELECT sender, turn_id IS NULL FROM messages_history ORDER BY id") == [
        ("customer", False),
        ("operator", True),
    ]


@pytest.mark.promise("closed_by")
async def test_whoever_takes_over_from_a_dead_worker_says_the_same(desk: Desk) -> None:
    await desk.write(incoming("Да", event="postback"))
    await desk.line.take_one()
    await desk.line.pass_time(LEASE_MS)
    assert await closed_by(desk) == ["button"]


@pytest.mark.promise("closed_by")
async def test_the_count_and_the_button_go_by_which_came_first(redis_url: str, database_url: str) -> None:
    async with opened(redis_url, database_url, window=Window(20, 300, max_count=2)) as desk:
        await desk.write(said("1"), said("2"), said("3", event="postback"))
        await desk.write(said("1", chat="z"), said("2", chat="z", event="postback"))
        assert await closed_by(desk) == ["count", "button"]


@pytest.mark.promise("closed_by")
async def test_typing_until_the_longest_wait_is_told_from_silence(desk: Desk) -> None:
    await desk.write(said("1"))
    for _ in range(60):
        await desk.write(said("t", event="typing"))
        await desk.line.pass_time(5 * SECOND)
    assert await closed_by(desk) == ["longest"]


# --- what is in it ----------------------------------------------------------------------------------------


@pytest.mark.promise("typing")
async def test_typing_is_never_a_turn_nor_a_line_of_the_history(desk: Desk) -> None:
    """Not even where a collector of yesterday's version put it into the batch."""
    await desk.write(said("1"))
    typed = IncomingMessage.model_validate(said("t", event="typing")).model_dump_json()
    await desk.line.redis.rpush(f"{desk.line.keys.items}avito:u2i-1", typed)
    await desk.line.redis.rpush(f"{desk.line.keys.items}avito:only", typed)
    await desk.line.redis.rpush(desk.line.keys.pending, "avito:only")

    await desk.work()

    assert [texts for *_, texts in await desk.turns()] == [["text of 1"]]
    assert await desk.here.value("SELECT count(*) FROM messages_history") == 1
    assert await desk.here.value("SELECT count(*) FROM appeals") == 1
    assert (await desk.line.survey(), await desk.line.letters()) == ((0, set()), [])


@pytest.mark.promise("order")
async def test_a_message_that_comes_late_stands_where_it_was_written(desk: Desk) -> None:
    """Within a batch, and when an earlier batch has made the turn: webhooks overtake each other."""
    await desk.write(said("2", 2), said("1", 1))
    await desk.work()
    await desk.write(said("0", 0), said("3", 3))
    await desk.work()

    turn_id = await desk.here.value("SELECT id FROM turns")
    ordered = await messages_of_turn(desk.here.pool, turn_id)
    assert [one.external_message_id for one in ordered] == ["0", "1", "2", "3"]
    spans = "SELECT extract(second FROM first_at)::int, extract(second FROM last_at)::int FROM turns"
    assert await desk.here.rows(spans) == [(0, 3)]


# --- edits and deletes before the message -----------------------------------------------------------------


@pytest.mark.promise("edits-first")
@pytest.mark.parametrize("apart", [False, True])
async def test_an_edit_that_overtakes_its_message_is_that_message_once(desk: Desk, apart: bool) -> None:
    """fazer-ai/chatwoot#373: an edit or deletion is handled before the message that it refers to.

    In one batch, and in a batch of its own before the message comes.
    """
    edit = said("1", 9, event="edit") | {"text": "how much?"}
    await desk.write(edit)
    if apart:
        await desk.work()
    await desk.write(said("1"))
    await desk.work()

    assert await desk.turns() == [("u2i-1", "ready", "silence", ["how much?"])]
    assert await desk.here.value("SELECT count(*) FROM messages_history") == 1


@pytest.mark.promise("edits-first")
@pytest.mark.parametrize("apart", [False, True])
async def test_a_deletion_that_overtakes_its_message_leaves_nothing_to_answer(
    desk: Desk, apart: bool
) -> None:
    """fazer-ai/chatwoot#373, the other half: nobody answers words that were taken back before they came."""
    await desk.write(said("1", 9, event="delete") | {"text": ""})
    if apart:
        await desk.work()
    await desk.write(said("1"))
    await desk.work()

    assert await desk.turns() == []
    assert await desk.here.value("SELECT count(*) FROM messages_history WHERE deleted_at IS NOT NULL") == 1


@pytest.mark.promise("edits-first")
async def test_an_old_edit_that_comes_last_does_not_bring_old_words_back(desk: Desk) -> None:
    await desk.write(said("1"))
    await desk.work()
    await desk.write(said("1", 9, event="edit") | {"text": "newest"})
    await desk.work()
    await desk.write(said("1", 5, event="edit") | {"text": "older"})
    await desk.work()

    assert [texts for *_, texts in await desk.turns()] == [["newest"]]


# --- the ways in which others fail ------------------------------------------------------------------------


@pytest.mark.promise("one-turn")
async def test_what_comes_between_the_last_read_and_the_unlock_is_not_stranded(desk: Desk) -> None:
    """vercel/chat#928: a message between the last dequeue and the unlock waits for the next one to come."""
    await desk.write(said("1"))
    [lease] = await desk.due()
    await desk.write(said("2"))
    await desk.debouncer.work(lease)

    assert await desk.line.homeless() == set()
    await desk.work()
    assert [texts for *_, texts in await desk.turns()] == [["text of 1", "text of 2"]]


@pytest.mark.promise("stored")
async def test_an_event_whose_chat_is_locked_is_kept_until_the_lock_is_gone(desk: Desk) -> None:
    """evo-bot-runtime: an event is answered 202 and then lost, because another one held the chat's lock."""
    await desk.write(said("1"))
    await desk.line.pass_time(20 * SECOND)
    await desk.line.take_one()  # and dies with it
    await desk.write(said("2"), said("3"))
    await desk.line.pass_time(20 * SECOND)
    assert await desk.line.take() == []

    await desk.line.pass_time(LEASE_MS)
    await desk.work()

    assert [texts for *_, texts in await desk.turns()] == [["text of 1", "text of 2", "text of 3"]]


@pytest.mark.promise("bound")
async def test_a_steady_stream_does_not_starve_the_turn(desk: Desk) -> None:
    """openclaw#104106: every message begins the silence anew, and the turn never comes."""
    waited = 0
    while waited < 310 and not await desk.line.redis.exists(desk.line.keys.fence):
        await desk.write(said(str(waited)))
        await desk.line.pass_time(SECOND)
        waited += 1
        for lease in await desk.line.take():
            await desk.debouncer.work(lease)

    assert waited == 300
    assert [closed for _, _, closed, _ in await desk.turns()] == ["longest"]


@pytest.mark.promise("no-mixing")
async def test_one_customer_of_two_accounts_has_two_turns(desk: Desk) -> None:
    """Evolution API: the buffer is keyed by the customer alone, so two accounts' messages become one."""
    await desk.write(said("1"), said("2", account="second"), said("3", channel="vk"))
    await desk.line.pass_time(5 * SECOND)
    await desk.write(said("4"), said("5", account="second"))
    await desk.work()

    got = "SELECT channel, account, count(*) FROM messages_history JOIN turns AS t USING (channel, account) "
    assert await desk.here.rows(got + "WHERE turn_id = t.id GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("avito", "default", 2),
        ("avito", "second", 2),
        ("vk", "default", 1),
    ]


@pytest.mark.promise("stored")
async def test_a_repeat_is_remembered_with_the_message_and_never_before_it(
    desk: Desk, tmp_path: Path
) -> None:
    """getsentry/junior#32: the id is remembered, the process dies before the message is stored, and the
    vendor's retry is taken for a repeat. Here a push that fails remembers nothing."""
    arrival = Arrival(IncomingMessage.model_validate(said("1")), event_key="1")
    redis, queue = desk.line.redis, desk.line.keys.source
    await redis.set(queue, "no list: a push to it fails")
    inbox = Inbox(redis, Keys(), Spool(tmp_path / "spool"), pace=Pace(retry=0.01))

    async with inbox.run():
        assert await inbox.put([arrival]) == ["spooled"]
        assert await redis.exists(Keys().seen("avito", "default", "1")) == 0
        await redis.delete(queue)
        await inbox.drained()
        assert await inbox.put([arrival]) == ["repeated"]

    assert await redis.llen(queue) == 1


@pytest.mark.promise("bound")
async def test_media_that_never_comes_does_not_hold_the_words_back(desk: Desk) -> None:
    """Every file's link, the name and the ad are asked for together, and one bound ends it all."""
    desk.facts.silent = {"chat", "profile", *(f"f{n}" for n in range(12))}
    voice = {"has_voice": True, "voice_file_id": "f0"}
    photos = {"has_images": True, "images": [{"file_id": f"f{n}"} for n in range(1, 12)]}
    await desk.write(said("1"), said("2", media=voice), said("3", media=photos))
    [lease] = await desk.due()

    async with asyncio.timeout(5):
        await desk.debouncer.work(lease)

    assert [texts for *_, texts in await desk.turns()] == [["text of 1", "text of 2", "text of 3"]]
