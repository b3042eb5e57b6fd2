"""A person takes a conversation over: the AI is silent at every door, and nothing is answered twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from core.auth import Caller, current_caller
from core.errors import ConversationPaused, Forbidden, StateConflict
from orchestrator.pauses import Grounds, get_pause, put_pause, renewed
from orchestrator.store.outbound import begin_sending, get_delivery, mark_sent
from tests.integration.chats_fixture import SECOND, incoming, outgoing_line
from tests.integration.test_deliver import Post, outgoing
from tests.integration.test_hub import CHAT, Agents, lease, opened, said
from tests.integration.test_resolve_scene import message

PLACE = {"channel": "avito", "chat_id": CHAT}
PAUSE = 1800.0


@contextmanager
def called_by(name: str, role: Any = "operator") -> Iterator[None]:
    token = current_caller.set(Caller(name, role))
    try:
        yield
    finally:
        current_caller.reset(token)


class Shop(Agents):
    """Agents at the hub, customers, and a person of the business."""

    def __init__(self, agents: Agents) -> None:
        self.__dict__.update(agents.__dict__)

    @property
    def moment(self) -> float:
        """Seconds since the first message of the tests, by the clock of everybody."""
        return (self.now - message("0").timestamp).total_seconds()

    async def says(self, text: str, event: str = "message", chat: str = CHAT, **more: Any) -> None:
        """Somebody writes now, and it is resolved."""
        self.here.now = self.now
        number = await self.here.value("SELECT count(*) FROM messages_history")
        told = message(more.pop("id", f"w{number}"), text, second=self.moment, chat=chat, event=event, **more)
        await self.here.resolve(told)
        await self.desk.pause_news.tell()

    async def operator_says(self, text: str, **more: Any) -> None:
        await self.says(text, "operator_message", **more)

    async def operator(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The operator Anna calls the hub."""
        with called_by("anna"):
            return await self.call(name, **arguments)

    async def status(self, turn: dict[str, Any]) -> str:
        found: str = await self.here.value("SELECT status FROM turns WHERE id = $1", int(turn["turn_id"]))
        return found

    async def delivery(self, answer: dict[str, Any]) -> dict[str, Any]:
        return await self.call("get_delivery", delivery_id=answer["delivery_id"])

    async def refused_at_the_channel(self) -> bool:
        try:
            await self.desk.pauses.refuse("avito", "default", CHAT)
        except ConversationPaused:
            return True
        return False


@asynccontextmanager
async def open_shop(redis_url: str, database_url: str) -> AsyncIterator[Shop]:
    async with opened(redis_url, database_url) as agents:
        yield Shop(agents)


@pytest.fixture
async def shop(redis_url: str, database_url: str) -> AsyncIterator[Shop]:
    async with open_shop(redis_url, database_url) as made:
        yield made


# --- every door -------------------------------------------------------------------------------------------


@pytest.mark.promise("pause-doors")
@pytest.mark.parametrize("force", [False, True])
async def test_a_reply_is_refused_while_a_person_has_the_conversation(shop: Shop, force: bool) -> None:
    await shop.says("Цена?")
    turn = await shop.turn()
    await shop.operator("pause", **PLACE, reason="спорный клиент")

    answer = await shop.reply(turn, "5 000 ₽", force=force)

    assert answer["status"] == "taken_over"
    assert "anna has this conversation now." in answer["next_step"]
    assert answer["reason_untrusted"] == "спорный клиент"
    assert await shop.reply(turn, "5 000 ₽", force=force) == answer, "the answer may have been lost"
    assert await shop.outbound() == []
    assert await shop.none()


@pytest.mark.promise("pause-doors")
async def test_a_turn_leased_as_the_pause_begins_is_refused_at_its_commit(shop: Shop) -> None:
    """The lease and the pause did not see each other: the commit does."""
    await shop.says("Цена?")
    turn = await shop.turn()
    async with shop.here.pool.acquire() as connection:
        grounds = Grounds("command", "anna", until=shop.now + timedelta(hours=1))
        await put_pause(connection, renewed(None, ("avito", "default", CHAT), grounds, shop.now))

    answers = [await shop.reply(turn), await shop.reply(turn)]

    assert [one["status"] for one in answers] == ["taken_over"] * 2
    assert (await shop.status(turn), await shop.outbound()) == ("ready", [])


@pytest.mark.promise("pause-doors")
async def test_a_message_outside_a_turn_is_refused_and_a_persons_passes(shop: Shop) -> None:
    await shop.says("Цена?")
    await shop.operator("pause", **PLACE)

    with pytest.raises(ConversationPaused, match="A person has this conversation"):
        await shop.call("send_message", **PLACE, text="Скидки")
    with pytest.raises(ConversationPaused):
        await shop.operator("send_message", **PLACE, text="Скидки")
    sent = await shop.operator("send_message", **PLACE, text="Это Анна", sender="operator")

    assert (await shop.delivery(sent))["state"] == "queued"
    assert await shop.here.rows("SELECT text, sender FROM outbound") == [("Это Анна", "operator")]
    history = "SELECT message_text, sender FROM messages_history WHERE direction = 'out'"
    assert await shop.here.rows(history) == [("Это Анна", "operator")]


async def test_only_an_operators_key_speaks_as_an_operator(shop: Shop) -> None:
    for caller in (Caller("ai"), Caller("hub", "service")):
        with called_by(caller.name, caller.role), pytest.raises(Forbidden):
            await shop.call("send_message", **PLACE, text="Это Анна", sender="operator")
        for name in ("pause", "resume"):
            with called_by(caller.name, caller.role), pytest.raises(Forbidden):
                await shop.call(name, **PLACE)
    with pytest.raises(Forbidden):
        await shop.call("pause", **PLACE)


@pytest.mark.promise("pause-doors")
async def test_the_list_is_refused_and_an_operators_message_on_it_passes(shop: Shop, redis_url: str) -> None:
    await shop.operator("pause", **PLACE)
    async with outgoing_line(redis_url) as line:
        post = Post(line, shop.here)
        ai, person, elsewhere = (
            outgoing("ИИ", CHAT),
            outgoing("Анна", CHAT, sender="operator"),
            outgoing("ИИ", "c2"),
        )
        await post.queue(ai, person, elsewhere)
        await post.work()

        assert sorted(one.text for one in post.channels.taken) == ["Анна", "ИИ"]
        refused = await post.delivery(ai)
        assert (refused.state, refused.error_code) == ("failed", "conversation_paused")
        assert (await post.state(person), await post.state(elsewhere)) == ("sent", "sent")

        await shop.operator("resume", **PLACE)
        await post.work()
        assert await post.state(ai) == "failed"
        await post.queue(ai)
        await post.work()
        assert await post.state(ai) == "sent", "its producer asked once more"


@pytest.mark.promise("pause-doors")
async def test_what_is_queued_when_the_pause_comes_is_not_sent_and_what_has_begun_is_finished(
    shop: Shop,
) -> None:
    for number in range(3):
        await shop.call("send_message", **PLACE, text=str(number))
    first, second, third = [row[0] for row in await shop.here.rows("SELECT id FROM outbound ORDER BY seq")]
    begun = await begin_sending(shop.here.pool, first, now=shop.now)
    assert begun is not None

    await shop.operator("pause", **PLACE)

    assert (await shop.delivery({"delivery_id": str(second)}))["error_code"] == "conversation_paused"
    assert await begin_sending(shop.here.pool, second, now=shop.now) is None
    assert await begin_sending(shop.here.pool, third, now=shop.now) is None
    assert await begin_sending(shop.here.pool, first, now=shop.now) is not None, "it may have been sent"
    await mark_sent(shop.here.pool, first, ["v1"], now=shop.now)
    assert (await shop.delivery({"delivery_id": str(first)}))["state"] == "sent"


@pytest.mark.promise("pause-doors")
async def test_a_pause_that_was_committed_before_wins_every_race(shop: Shop) -> None:
    """Sendings that begin and a pause at once: each has begun before the pause or has failed."""
    for round_ in range(8):
        chat = f"race-{round_}"
        for number in range(4):
            await shop.call("send_message", channel="avito", chat_id=chat, text=str(number))
        rows = await shop.here.rows("SELECT id FROM outbound WHERE external_chat_id = $1", chat)
        ids: list[UUID] = [row[0] for row in rows]

        begun = await asyncio.gather(
            *(begin_sending(shop.here.pool, one, now=shop.now) for one in ids[:2]),
            shop.operator("pause", channel="avito", chat_id=chat),
            *(begin_sending(shop.here.pool, one, now=shop.now) for one in ids[2:]),
        )

        states = [(await get_delivery(shop.here.pool, one)) for one in ids]
        started = [one.id for one in begun if one is not None and not isinstance(one, dict)]
        assert {one.state for one in states if one} <= {"sending", "failed"}
        assert [one.id for one in states if one and one.state == "sending"] == [
            one for one in ids if one in started
        ]


# --- not answered again -----------------------------------------------------------------------------------


@pytest.mark.promise("not-answered-again")
async def test_what_an_operator_answered_is_not_offered_and_what_came_after_is(shop: Shop) -> None:
    await shop.says("Здравствуйте")
    await shop.pass_time(5)
    await shop.operator_says("Добрый день, это Анна")
    await shop.pass_time(5)
    await shop.says("Когда забрать?")

    assert await shop.none()
    await shop.operator("resume", **PLACE)

    turn = await shop.turn()
    assert said(turn) == ["Когда забрать?"]
    assert [(one["sender"], one["text_untrusted"]) for one in turn["history"]] == [
        ("customer", "Здравствуйте"),
        ("operator", "Добрый день, это Анна"),
    ]
    await shop.reply(turn)
    assert await shop.none()


@pytest.mark.promise("not-answered-again")
async def test_an_operator_who_answers_while_an_agent_works_ends_its_turn_and_is_quoted(shop: Shop) -> None:
    await shop.says("Цена?")
    turn = await shop.turn()
    await shop.pass_time(5)
    await shop.operator_says("5 000, скидка 10%")

    answer = await shop.reply(turn, "6 000 ₽")

    assert answer["status"] == "taken_over"
    assert [one["text_untrusted"] for one in answer["said_meanwhile"]] == ["5 000, скидка 10%"]
    assert "They have answered this turn" in answer["next_step"]
    assert (await shop.status(turn), await shop.outbound()) == ("handled", [])
    skipped = await shop.call("skip_turn", **lease(turn))
    assert skipped["status"] == "taken_over"
    assert (await shop.call("extend_turn", **lease(turn)))["status"] == "stale_lease"


@pytest.mark.promise("not-answered-again")
async def test_one_batch_with_an_operator_in_it_is_two_halves(shop: Shop) -> None:
    """Also when all of it came in one second: then the order of arrival tells."""
    events = [("а", "message"), ("Анна", "operator_message"), ("б", "message")]
    words = [incoming(text, CHAT, event=event, external_user_id="anna") for text, event in events]
    await shop.desk.write(*words)
    await shop.desk.line.pass_time(20 * SECOND)
    await shop.desk.work()

    await shop.operator("resume", **PLACE)

    assert said(await shop.turn()) == ["б"]
    assert [row[1] for row in await shop.desk.turns()] == ["handled", "leased"]


@pytest.mark.promise("not-answered-again")
async def test_a_message_that_comes_late_and_was_on_the_operators_screen_is_handled(shop: Shop) -> None:
    await shop.pass_time(60)
    await shop.operator_says("Уже готово")
    number = "late"
    shop.here.now = shop.now
    await shop.here.resolve(message(number, "Готово?", second=shop.moment - 30))
    await shop.operator("resume", **PLACE)

    assert await shop.none()


async def test_a_turn_that_a_command_took_back_is_offered_whole_after_the_pause(shop: Shop) -> None:
    await shop.says("раз")
    turn = await shop.turn()
    await shop.says("два")
    await shop.operator("pause", **PLACE)
    await shop.says("три")
    assert (await shop.reply(turn))["status"] == "taken_over"

    await shop.operator("resume", **PLACE)

    again = await shop.turn()
    assert said(again) == ["раз", "два", "три"]
    assert (await shop.reply(again))["status"] == "queued"


async def test_an_operator_who_sends_through_the_hub_has_answered_what_was_resolved(shop: Shop) -> None:
    await shop.says("Цена?")
    turn = await shop.turn()
    await shop.operator("send_message", **PLACE, text="5 000", sender="operator")
    await shop.says("А батарея?")

    assert (await shop.reply(turn))["status"] == "taken_over"
    assert await shop.status(turn) == "handled"
    await shop.pass_time(PAUSE)
    assert said(await shop.turn()) == ["А батарея?"]


# --- the end of a pause -----------------------------------------------------------------------------------


@pytest.mark.promise("resume")
async def test_a_pause_ends_half_an_hour_after_the_operators_last_word(shop: Shop) -> None:
    await shop.says("Цена?")
    await shop.operator_says("5 000")
    await shop.pass_time(PAUSE - 60)
    await shop.operator_says("Ждём вас")
    await shop.pass_time(60)
    await shop.says("А батарея?")
    assert await shop.none()
    assert await shop.refused_at_the_channel()

    await shop.pass_time(PAUSE - 60)

    assert said(await shop.turn()) == ["А батарея?"]
    assert not await shop.refused_at_the_channel()


@pytest.mark.promise("resume")
async def test_neither_a_repeat_nor_an_old_word_renews_a_pause_that_was_ended(shop: Shop) -> None:
    await shop.says("Цена?")
    await shop.pass_time(10)
    await shop.operator_says("5 000", id="op-1")
    before = shop.moment - 5
    await shop.pass_time(10)
    await shop.operator("resume", **PLACE)

    shop.here.now = shop.now
    await shop.here.resolve(message("op-1", "5 000", second=before + 5, event="operator_message"))
    await shop.here.resolve(message("op-0", "рано", second=before, event="operator_message"))

    assert (await shop.operator("list_paused"))["conversations"] == []
    await shop.says("А батарея?")
    assert said(await shop.turn()) == ["А батарея?"]
    await shop.operator_says("новое слово")
    assert [one["paused_by"] for one in (await shop.operator("list_paused"))["conversations"]] == ["operator"]


@pytest.mark.promise("resume")
async def test_our_own_echo_that_was_taken_for_an_operator_pauses_nothing_for_long(shop: Shop) -> None:
    """It came before the vendor had told us its id, and Redis had lost the mark of the sending."""
    await shop.says("Цена?")
    answer = await shop.reply(await shop.turn(), "5 000 ₽")
    sent = UUID(answer["delivery_id"])
    assert await begin_sending(shop.here.pool, sent, now=shop.now) is not None
    await shop.says("А батарея?")
    await shop.pass_time(1)
    await shop.operator_says("5 000 ₽", id="v-77")
    assert await shop.none()

    await mark_sent(shop.here.pool, sent, ["v-77"], now=shop.now)

    assert said(await shop.turn()) == ["А батарея?"]
    assert (await shop.operator("list_paused"))["conversations"] == []


async def test_a_pause_is_never_shortened(shop: Shop) -> None:
    await shop.operator("pause", **PLACE, minutes=600)
    longest = await get_pause(shop.here.pool, ("avito", "default", CHAT))
    await shop.operator("pause", **PLACE, minutes=1)
    await shop.operator_says("слово")

    again = await get_pause(shop.here.pool, ("avito", "default", CHAT))

    assert longest is not None
    assert again is not None
    assert (again.until, again.started_at) == (longest.until, longest.started_at)
    assert again.version > longest.version


async def test_resuming_what_is_not_paused_is_refused_in_words(shop: Shop) -> None:
    with pytest.raises(StateConflict, match="not paused"):
        await shop.operator("resume", **PLACE)


async def test_a_pause_is_of_one_conversation(shop: Shop) -> None:
    await shop.operator("pause", **PLACE)
    await shop.says("раз", chat="c2", external_user_id="boris")
    await shop.says("два", account="second", external_user_id="vera")

    assert {said(await shop.turn())[0], said(await shop.turn())[0]} == {"раз", "два"}


@pytest.mark.promise("resume")
async def test_a_pause_ends_by_itself_at_every_door(shop: Shop) -> None:
    await shop.operator("pause", **PLACE, minutes=10)
    await shop.pass_time(600)

    sent = await shop.call("send_message", **PLACE, text="Да")

    assert await begin_sending(shop.here.pool, UUID(sent["delivery_id"]), now=shop.now) is not None
    assert (await shop.operator("list_paused"))["conversations"] == []
    with pytest.raises(StateConflict):
        await shop.operator("resume", **PLACE)


# --- hand-off ---------------------------------------------------------------------------------------------


@pytest.mark.promise("pause-doors")
async def test_an_agent_hands_its_turn_off_and_is_silent_there(shop: Shop) -> None:
    await shop.says("Хочу вернуть деньги")
    turn = await shop.turn()

    answer = await shop.call("hand_off", **lease(turn), reason="возврат")

    assert answer["status"] == "handed_off"
    assert (await shop.reply(turn))["status"] == "taken_over"
    assert (await shop.call("hand_off", **lease(turn), reason="ещё раз"))["status"] == "taken_over"
    assert await shop.none()
    appeal = await shop.call("get_appeal", appeal_id=turn["appeal_id"])
    assert appeal["status"] == "handed_off"
    [paused] = (await shop.operator("list_paused"))["conversations"]
    assert (paused["cause"], paused["reason_untrusted"]) == ("hand_off", "возврат")
    with pytest.raises(ConversationPaused):
        await shop.call("close_appeal", appeal_id=turn["appeal_id"])

    await shop.pass_time(24 * 3600)
    assert said(await shop.turn()) == ["Хочу вернуть деньги"], "nobody came within a day"


async def test_a_turn_that_is_not_ones_own_cannot_be_handed_off(shop: Shop) -> None:
    await shop.says("раз")
    turn = await shop.turn()
    await shop.reply(turn)

    answered = await shop.call("hand_off", **lease(turn), reason="возврат")
    unknown = await shop.call("hand_off", turn_id="999", lease_token="1.1", reason="возврат")

    assert (answered["status"], unknown["status"]) == ("already_answered", "stale_lease")
    assert (await shop.operator("list_paused"))["conversations"] == []


# --- what the channels know -------------------------------------------------------------------------------


@pytest.mark.promise("pause-doors")
async def test_channels_are_told_at_once_and_again_when_redis_has_lost_it(shop: Shop) -> None:
    await shop.operator("pause", **PLACE)
    assert await shop.refused_at_the_channel()

    await shop.desk.line.redis.flushdb()
    await shop.desk.pause_news.tell_all()
    assert not await shop.refused_at_the_channel(), "told a moment ago"
    await shop.pass_time(60)
    await shop.desk.pause_news.tell_all()
    assert await shop.refused_at_the_channel()

    await shop.operator("resume", **PLACE)
    assert not await shop.refused_at_the_channel()


@pytest.mark.promise("pause-doors")
async def test_a_crash_before_the_channels_were_told_is_mended(shop: Shop) -> None:
    shop.here.now = shop.now
    await shop.here.resolve(message("1", "слово", second=shop.moment, event="operator_message"))
    assert not await shop.refused_at_the_channel()

    await asyncio.gather(*(shop.desk.pause_news.tell_all() for _ in range(3)))

    assert await shop.refused_at_the_channel()


async def test_an_operator_writes_to_a_chat_that_nobody_knows(shop: Shop) -> None:
    sent = await shop.operator("send_message", channel="avito", chat_id="new", text="Да", sender="operator")

    assert (await shop.delivery(sent))["state"] == "queued"
    pause = await get_pause(shop.here.pool, ("avito", "default", "new"))
    assert pause is not None
    assert pause.holds(shop.now + timedelta(seconds=PAUSE - 1))
