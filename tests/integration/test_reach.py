"""A form is answered where its client can be reached, or refused with the reason why not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from core.errors import ChannelError, IdempotencyConflict, PeerUnreachable, SessionLost, VendorDown
from core.messages import OutgoingMessage
from orchestrator.batching import ChatContext
from orchestrator.manifests import Manifest
from orchestrator.reach import KnownChat, answerable
from orchestrator.store import outbound
from tests.integration.test_hub import Agents, lease, opened, said
from tests.integration.test_resolve_scene import at, message

PHONE = "+79001234567"
DAY = 86_400
WHATSAPP = Manifest(parts=frozenset({"OpensChats"}), accounts=("default", "second"))
HANDLES = "SELECT channel, external_user_id, evidence FROM identities ORDER BY id"
SENT = "SELECT channel, account, external_chat_id, text FROM outbound ORDER BY seq"
CASES = "SELECT id, channel, external_chat_id, status, close_reason FROM appeals ORDER BY id"


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        yield made


async def form(agents: Agents, text: str = "Разбит экран", phone: str | None = PHONE) -> None:
    who = phone or "stranger"
    await agents.customer(text, chat=who, channel="form", external_user_id=who, client_phone=phone)


async def wrote(agents: Agents, chat: str = "a1", **more: Any) -> None:
    """The client with that phone has written there, and was answered."""
    given: dict[str, Any] = {"external_user_id": f"of-{chat}", "vouched": PHONE, **more}
    await agents.customer("Здравствуйте", chat=chat, **given)
    await agents.reply(await agents.turn(), "Добрый день")


async def sent(agents: Agents) -> list[tuple[Any, ...]]:
    return await agents.here.rows(SENT)


# --- a chat that the client has ---------------------------------------------------------------------------


@pytest.mark.promise("form")
async def test_a_form_of_a_known_client_is_answered_in_their_chat(agents: Agents) -> None:
    await wrote(agents, "a1")
    await form(agents)
    turn = await agents.turn()

    answer = await agents.reply(turn, "Экран стоит 7 900 ₽.")

    assert (turn["channel"], turn["can_reply"], turn["replies_via"]) == ("form", True, "avito")
    assert "avito" in turn["next_step"]
    assert answer["status"] == "queued"
    assert (await sent(agents))[1:] == [("avito", "default", "a1", "Экран стоит 7 900 ₽.")]
    delivery = await agents.call("get_delivery", delivery_id=answer["delivery_id"])
    assert (delivery["channel"], delivery["chat_id"]) == ("avito", "a1")
    assert await agents.none()


async def test_of_several_chats_the_one_written_in_last_is_answered(agents: Agents) -> None:
    await wrote(agents, "v1", channel="vk")
    await wrote(agents, "a1")
    await wrote(agents, "a2", account="shop")
    await form(agents)
    turn = await agents.turn()

    await agents.reply(turn, "Ответ")

    assert turn["replies_via"] == "avito"
    assert (await sent(agents))[-1] == ("avito", "shop", "a2", "Ответ")


async def test_a_chat_that_has_refused_us_is_passed_over(agents: Agents) -> None:
    await wrote(agents, "v1", channel="vk")
    await wrote(agents, "a1")
    await agents.here.pool.execute(
        "UPDATE outbound SET state = 'failed', error_code = 'peer_unreachable', updated_at = $1 "
        "WHERE channel = 'avito'",
        at(DAY),
    )
    await form(agents)

    assert (await agents.turn())["replies_via"] == "vk"


@pytest.mark.promise("no-mixing")
async def test_a_chat_in_which_others_write_too_is_no_place_for_an_answer(agents: Agents) -> None:
    await wrote(agents, "family")
    await wrote(agents, "family", external_user_id="boris", vouched="")
    await form(agents)

    assert (await agents.turn())["can_reply"] is False


@pytest.mark.promise("no-mixing")
async def test_a_group_in_which_others_write_at_the_same_time_is_no_place_either(agents: Agents) -> None:
    """All of a batch is the history of one client; whoever else wrote in it reads along."""
    anna = message("1", chat="family", external_user_id="anna")
    boris = message("2", chat="family", second=1, external_user_id="boris")
    await agents.here.resolve(anna, boris, context=ChatContext(client_phone=PHONE))
    await agents.reply(await agents.turn(), "Добрый день")
    await form(agents)

    assert (await agents.turn())["can_reply"] is False


@pytest.mark.promise("no-mixing")
async def test_a_chat_of_another_client_is_never_chosen(agents: Agents) -> None:
    await wrote(agents, "a1", vouched="+79009999999")
    await form(agents)

    assert (await agents.turn())["can_reply"] is False


def chat(channel: str, *, hours: float, account: str = "default") -> KnownChat:
    return KnownChat(channel, account, f"of-{channel}", at(-3600 * hours))


DAILY = Manifest(accounts=("default",), reply_window_seconds=DAY)
ENDLESS = Manifest(accounts=("default",))


@pytest.mark.parametrize(
    ("chats", "chosen"),
    [
        ([chat("instagram", hours=23), chat("vk", hours=50)], "instagram"),
        ([chat("instagram", hours=24), chat("vk", hours=50)], "vk"),
        ([chat("instagram", hours=25)], None),
        ([chat("max", hours=1), chat("vk", hours=2)], "vk"),
        ([chat("vk", hours=1, account="gone"), chat("vk", hours=2)], "vk"),
        ([chat("telegram", hours=900)], "telegram"),
        ([], None),
    ],
)
def test_a_chat_is_answerable_while_its_window_is_open_and_its_account_is_there(
    chats: list[KnownChat], chosen: str | None
) -> None:
    """MAX has no server here; Telegram could not be asked, and the best is believed."""
    manifests = {"instagram": DAILY, "vk": ENDLESS, "telegram": None}

    found = answerable(chats, manifests, at(0))

    assert (found.channel if found else None) == chosen
    assert found is None or found.account != "gone"


async def test_a_window_that_closed_meanwhile_is_told(agents: Agents) -> None:
    agents.messengers.manifests["instagram"] = DAILY
    await wrote(agents, "i1", channel="instagram")
    await agents.here.pool.execute(
        "UPDATE messages_history SET sent_at = $1", agents.now - timedelta(seconds=DAY)
    )
    await form(agents)
    turn = await agents.turn()

    assert turn["can_reply"] is False
    assert "the number" not in turn["next_step"]
    assert "no WhatsApp account" in turn["next_step"]


async def test_a_reaction_does_not_open_a_window(agents: Agents) -> None:
    """Nor does taking a message back: the messengers count from the last message."""
    agents.messengers.manifests["instagram"] = DAILY
    client = {"channel": "instagram", "external_user_id": "of-i1", "vouched": PHONE}
    await wrote(agents, "i1", **client)
    await agents.customer("❤️", chat="i1", event="reaction", reply_to="of-last-year", **client)
    await agents.here.pool.execute(
        "UPDATE messages_history SET sent_at = CASE event WHEN 'reaction' THEN $1::timestamptz ELSE $2 END",
        agents.now,
        agents.now - timedelta(seconds=DAY),
    )
    await form(agents)

    assert (await agents.turn())["can_reply"] is False


# --- writing first ----------------------------------------------------------------------------------------


@pytest.mark.promise("form")
@pytest.mark.promise("form-reply")
async def test_a_stranger_with_a_phone_is_written_to_on_whatsapp(agents: Agents) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    agents.messengers.numbers["default", PHONE] = "79001234567"
    await form(agents)
    turn = await agents.turn()

    answer = await agents.reply(turn, "Экран стоит 7 900 ₽.")

    assert (turn["can_reply"], turn["replies_via"]) == (True, "whatsapp")
    assert answer["status"] == "queued"
    assert await sent(agents) == [("whatsapp", "default", "79001234567", "Экран стоит 7 900 ₽.")]
    assert agents.messengers.looked_up == [("default", PHONE)]
    assert await agents.here.rows(HANDLES) == [
        ("form", PHONE, "form_phone"),
        ("whatsapp", "79001234567", "written_first"),
    ]
    assert await agents.here.value("SELECT whatsapp_id FROM clients") == "79001234567"


@pytest.mark.promise("form")
@pytest.mark.parametrize("user", ["79001234567", "another-name-of-theirs"])
async def test_who_answers_on_whatsapp_is_the_client_of_the_form_and_the_case_goes_on(
    agents: Agents, user: str
) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    agents.messengers.numbers["default", PHONE] = "79001234567"
    await form(agents, "Заявка: разбит экран")
    first = await agents.turn()
    await agents.reply(first, "Экран стоит 7 900 ₽.")

    await agents.customer(
        "Когда приехать?", chat="79001234567", channel="whatsapp", external_user_id=user, client_phone=PHONE
    )
    second = await agents.turn()

    assert (second["client_id"], second["appeal_id"]) == (first["client_id"], first["appeal_id"])
    assert said(second, "history") == ["Заявка: разбит экран", "Экран стоит 7 900 ₽."]
    assert (second["channel"], second["can_reply"], second["replies_via"]) == ("whatsapp", True, "")
    assert await agents.here.rows(CASES) == [
        (int(first["appeal_id"]), "whatsapp", "79001234567", "open", None)
    ]


async def test_the_next_account_writes_when_the_first_is_logged_out(agents: Agents) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    agents.messengers.numbers = {("default", PHONE): SessionLost(), ("second", PHONE): "79001234567"}
    await form(agents)

    await agents.reply(await agents.turn(), "Да")

    assert (await sent(agents))[0][:2] == ("whatsapp", "second")


async def test_a_number_without_whatsapp_is_refused_with_that_reason(agents: Agents) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    await form(agents)
    turn = await agents.turn()

    with pytest.raises(PeerUnreachable, match="the number has no WhatsApp"):
        await agents.reply(turn, "Да")

    assert turn["can_reply"] is False
    assert "the number has no WhatsApp" in turn["next_step"]
    assert agents.messengers.looked_up == [("default", PHONE)]
    assert (await agents.call("skip_turn", **lease(turn)))["status"] == "closed"
    assert await sent(agents) == []


@pytest.mark.parametrize("phone", [None, "8 900 123"])
async def test_a_client_without_a_phone_and_a_messenger_is_told(agents: Agents, phone: str | None) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    await form(agents, phone=phone)
    turn = await agents.turn()

    with pytest.raises(PeerUnreachable, match="no phone and has written on no messenger"):
        await agents.reply(turn, "Да")
    assert turn["can_reply"] is False


@pytest.mark.parametrize("manifest", [None, Manifest(accounts=("default",)), Manifest(parts=WHATSAPP.parts)])
async def test_a_whatsapp_that_cannot_write_first_is_no_way(
    agents: Agents, manifest: Manifest | None
) -> None:
    agents.messengers.manifests["whatsapp"] = manifest
    await form(agents)

    assert "no WhatsApp account" in (await agents.turn())["next_step"]
    assert agents.messengers.looked_up == []


@pytest.mark.parametrize("error", [VendorDown("Away."), SessionLost("Logged out.")])
async def test_a_fault_that_may_pass_does_not_make_the_agent_give_up(
    agents: Agents, error: ChannelError
) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    agents.messengers.numbers = dict.fromkeys([("default", PHONE), ("second", PHONE)], error)
    await form(agents)
    turn = await agents.turn()

    with pytest.raises(type(error)):
        await agents.reply(turn, "Да")
    assert (turn["can_reply"], turn["replies_via"]) == (True, "")

    agents.messengers.numbers["default", PHONE] = "79001234567"
    assert (await agents.reply(turn, "Да"))["status"] == "queued"


# --- once, and one case -----------------------------------------------------------------------------------


@pytest.mark.promise("one-reply")
async def test_a_form_is_answered_once_however_often_it_is_tried(agents: Agents) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    agents.messengers.numbers["default", PHONE] = "79001234567"
    await form(agents)
    turn = await agents.turn()

    answers = await asyncio.gather(*(agents.reply(turn, f"ответ {number}") for number in range(5)))
    agents.messengers.manifests.clear()
    late = await agents.reply(turn, "ещё раз")

    assert sorted(answer["status"] for answer in answers) == ["already_answered"] * 4 + ["queued"]
    assert (late["status"], late["delivery_id"]) == ("already_answered", answers[0]["delivery_id"])
    assert len(await sent(agents)) == 1


@pytest.mark.promise("fresh-reply")
async def test_a_form_that_came_meanwhile_is_shown_before_the_reply_goes(agents: Agents) -> None:
    await wrote(agents)
    await form(agents, "Первая заявка")
    turn = await agents.turn()
    await form(agents, "Вторая заявка")

    refused = await agents.reply(turn, "Ответ")
    again = await agents.reply(turn | {"lease_token": refused["lease_token"]}, "Ответ на обе")

    assert (refused["status"], said(refused, "new_messages")) == ("superseded", ["Вторая заявка"])
    assert again["status"] == "queued"
    assert (await sent(agents))[-1][3] == "Ответ на обе"


async def test_an_open_case_in_the_chat_takes_the_forms_case_in(agents: Agents) -> None:
    await wrote(agents, "a1")
    [(avito, *_)] = await agents.here.rows(CASES)
    await form(agents, "Заявка: разбит экран")
    turn = await agents.turn()

    await agents.reply(turn, "Экран стоит 7 900 ₽.")
    await agents.customer("Беру", chat="a1", external_user_id="of-a1")
    after = await agents.turn()

    form_case = int(turn["appeal_id"])
    assert await agents.here.rows(CASES) == [
        (avito, "avito", "a1", "open", None),
        (form_case, "form", PHONE, "resolved", f"continued in {avito}"),
    ]
    assert after["appeal_id"] == str(avito)
    assert "Заявка: разбит экран" in said(after, "history")
    assert said(await agents.call("get_appeal", appeal_id=str(avito)))[-3:] == [
        "Заявка: разбит экран",
        "Экран стоит 7 900 ₽.",
        "Беру",
    ]


async def test_a_case_that_was_closed_before_the_reply_stays_closed(agents: Agents) -> None:
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    agents.messengers.numbers["default", PHONE] = "79001234567"
    await form(agents)
    turn = await agents.turn()
    await agents.call("close_appeal", appeal_id=turn["appeal_id"], reason="готово")

    assert (await agents.reply(turn, "Да"))["status"] == "queued"
    assert (await agents.here.rows(CASES))[0][1:] == ("form", PHONE, "resolved", "готово")


async def test_a_second_form_shows_what_was_answered_to_the_first(agents: Agents) -> None:
    await wrote(agents)
    await form(agents, "Первая")
    await agents.reply(await agents.turn(), "Ответ на первую")
    await form(agents, "Вторая")

    assert said(await agents.turn(), "history") == ["Первая", "Ответ на первую"]


async def test_a_chat_shows_nothing_of_the_clients_other_chats(agents: Agents) -> None:
    """Two ads, two chats, one case: an answer about one must not speak of the other."""
    await wrote(agents, "a1")
    await agents.customer("Про другое", chat="a2", external_user_id="of-a1")

    assert said(await agents.turn(), "history") == []


async def test_forms_and_messages_at_once_end_without_a_circle(agents: Agents) -> None:
    """The reply locks two chats and a case; customers write in both of them."""
    agents.messengers.manifests["whatsapp"] = WHATSAPP
    agents.messengers.numbers["default", PHONE] = "79001234567"
    await form(agents)
    turn = await agents.turn()
    there = {"channel": "whatsapp", "external_user_id": "79001234567", "client_phone": PHONE}

    async def writes(number: int) -> None:
        words = message(f"w{number}", chat="79001234567", second=number, **there)
        await agents.here.resolve(words)

    async def submits(number: int) -> None:
        words = {"channel": "form", "external_user_id": PHONE, "client_phone": PHONE}
        await agents.here.resolve(message(f"f{number}", chat=PHONE, second=number, **words))

    outcomes = await asyncio.gather(
        *(agents.reply(turn, f"r{number}", force=True) for number in range(4)),
        *(writes(number) for number in range(6)),
        *(submits(number) for number in range(6)),
        return_exceptions=True,
    )

    assert [one for one in outcomes if isinstance(one, BaseException)] == []
    assert await agents.here.value("SELECT count(*) FROM clients") == 1
    assert await agents.here.value("SELECT count(*) FROM messages_history WHERE direction = 'in'") == 13
    assert await agents.here.value("SELECT count(*) FROM outbound") == 1


# --- outside a turn ---------------------------------------------------------------------------------------


async def test_a_message_to_a_forms_chat_goes_the_same_way(agents: Agents) -> None:
    await wrote(agents)
    await form(agents)
    await agents.call("skip_turn", **lease(await agents.turn()))
    given = {"channel": "form", "chat_id": PHONE, "text": "Готово", "idempotency_key": "k"}

    first = await agents.call("send_message", **given)
    agents.messengers.manifests.pop("avito")
    again = await agents.call("send_message", **given)

    assert (first["status"], again["status"]) == ("queued", "duplicate")
    assert first["delivery_id"] == again["delivery_id"]
    assert (await sent(agents))[1:] == [("avito", "default", "a1", "Готово")]
    with pytest.raises(IdempotencyConflict):
        await agents.call("send_message", **given | {"text": "Другое"})


async def test_a_message_to_a_forms_chat_without_a_way_is_refused_with_the_reason(agents: Agents) -> None:
    await form(agents)

    with pytest.raises(PeerUnreachable, match="no WhatsApp account"):
        await agents.call("send_message", channel="form", chat_id=PHONE, text="Да")
    assert await sent(agents) == []


async def test_what_was_redirected_is_pushed_and_recognised_at_its_real_place(agents: Agents) -> None:
    await wrote(agents)
    await form(agents)
    answer = await agents.reply(await agents.turn(), "Ответ", buttons=["Да", "Нет"])
    delivery = await outbound.get_delivery(agents.here.pool, UUID(answer["delivery_id"]))
    assert delivery is not None

    pushed = OutgoingMessage.model_validate(
        {
            "id": delivery.id,
            "channel": "avito",
            "external_chat_id": "a1",
            "text": "Ответ",
            "buttons": ["Да", "Нет"],
        }
    )
    known = await outbound.insert_outbound(agents.here.pool, pushed, origin="list", now=agents.here.now)

    assert (known.created, known.delivery.origin) == (False, "reply")
    assert (delivery.asked_channel, delivery.asked_chat) == ("form", PHONE)
