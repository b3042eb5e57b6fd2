"""Sending text, contacts, places, buttons; replies; refusals (contract §5, §7)."""

from typing import Any

import pytest

from tests.sandbox.telegram.world import GROUP, World, opened


async def test_a_formatted_reply_comes_back_as_the_contract_shows(telegram: World) -> None:
    chat = await telegram.chat("Ольга")

    sent = await telegram.result(
        "sendMessage",
        chat_id=chat,
        text="Замена экрана: <b>7 900 ₽</b>",
        parse_mode="HTML",
        reply_parameters={"message_id": 11, "allow_sending_without_reply": True},
        link_preview_options={"is_disabled": True},
    )

    person = {"id": chat, "first_name": "Ольга", "username": f"client_{chat}"}
    assert sent.pop("reply_to_message")["text"] == "ау"
    assert sent == {
        "message_id": 12,
        "from": {
            "id": 7_000_000_001,
            "is_bot": True,
            "first_name": "Ремонт Про",
            "username": "remont_pro_bot",
        },
        "chat": {**person, "type": "private"},
        "date": int(telegram.time.moment),
        "text": "Замена экрана: 7 900 ₽",
        "entities": [{"offset": 15, "length": 7, "type": "bold"}],
    }


async def test_own_messages_are_seen_by_the_customer_and_not_echoed(telegram: World) -> None:
    await telegram.subscribe()
    chat = await telegram.chat()
    await telegram.result("sendMessage", chat_id=str(chat), text="ответ")

    [_, answer] = await telegram.seen()
    assert (answer["text"], answer["direction"], answer["via"]) == ("ответ", "out", "api")
    assert telegram.receiver.texts == ["ау"]


async def test_message_ids_count_per_chat(telegram: World) -> None:
    chats = [await telegram.chat("Анна"), await telegram.chat("Борис")]

    sent = [await telegram.result("sendMessage", chat_id=chat, text="x") for chat in chats]

    assert [message["message_id"] for message in sent] == [12, 12]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"text": ""}, "message text is empty"),
        ({}, "message text is empty"),
        ({"text": " \n"}, "text must be non-empty"),
        ({"text": "я" * 4097}, "message is too long"),
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": "я" * 16_385}, "text is too long"),
        ({"text": "x", "parse_mode": "Word"}, "unsupported parse_mode"),
        ({"text": "x", "entities": [{"type": "bold", "offset": 0, "length": 9}]}, None),
        ({"text": "x", "reply_parameters": {"message_id": 999}}, "message to be replied not found"),
        ({"text": "x", "reply_to_message_id": 999}, "message to be replied not found"),
        ({"text": "x", "reply_markup": []}, None),
        (
            {
                "text": "x",
                "reply_markup": {"inline_keyboard": [[{"text": "y", "callback_data": "я" * 33}]]},
            },
            "BUTTON_DATA_INVALID",
        ),
        ({"text": "x", "chat_id": 1}, "chat not found"),
        ({"text": "x", "chat_id": "@nobody"}, "chat not found"),
        ({"text": "x", "chat_id": None}, "chat_id is empty"),
    ],
)
async def test_a_wrong_message_is_a_bad_request(
    telegram: World, parameters: dict[str, Any], words: str | None
) -> None:
    chat = await telegram.chat()
    status, description = await telegram.refusal("sendMessage", **{"chat_id": chat, **parameters})

    assert status == 400
    assert description.startswith("Bad Request: ")
    assert words is None or description == f"Bad Request: {words}"


async def test_4096_units_pass_and_a_setting_counts_characters_instead(telegram: World) -> None:
    assert await telegram.result("sendMessage", chat_id=await telegram.chat(), text="😀" * 2048)
    async with opened(text_unit="characters") as world:
        assert await world.result("sendMessage", chat_id=await world.chat(), text="😀" * 4096)


async def test_marks_are_not_counted(telegram: World) -> None:
    text = f"<b>{'я' * 4096}</b>"

    assert await telegram.result("sendMessage", chat_id=await telegram.chat(), text=text, parse_mode="HTML")


async def test_a_missing_reply_may_be_allowed(telegram: World) -> None:
    sent = await telegram.result(
        "sendMessage",
        chat_id=await telegram.chat(),
        text="x",
        reply_parameters={"message_id": 999, "allow_sending_without_reply": True},
    )

    assert "reply_to_message" not in sent


async def test_a_part_can_be_quoted(telegram: World) -> None:
    chat = int((await telegram.write(text="экран и стекло"))["chat_id"])
    reply = {"message_id": 11, "quote": "стекло"}

    sent = await telegram.result("sendMessage", chat_id=chat, text="да", reply_parameters=reply)

    assert sent["quote"] == {"text": "стекло", "position": 8, "is_manual": True}
    assert (
        await telegram.refusal(
            "sendMessage", chat_id=chat, text="да", reply_parameters={**reply, "quote": "нет"}
        )
    )[0] == 400


@pytest.mark.parametrize(
    ("deed", "description"),
    [
        ("block", "Forbidden: bot was blocked by the user"),
        ("deactivate", "Forbidden: user is deactivated"),
    ],
)
async def test_customers_who_are_gone_cannot_be_written_to(
    telegram: World, deed: str, description: str
) -> None:
    chat = await telegram.chat()
    await telegram.write(type=deed)

    assert await telegram.refusal("sendMessage", chat_id=chat, text="x") == (403, description)


@pytest.mark.parametrize(
    ("deed", "description"),
    [
        ("kick_bot", "Forbidden: bot was kicked from the group chat"),
        ("remove_bot", "Forbidden: bot is not a member of the group chat"),
    ],
)
async def test_a_group_may_throw_the_bot_out(telegram: World, deed: str, description: str) -> None:
    group = await telegram.group()
    await telegram.write(type=deed, ad=GROUP)

    assert await telegram.refusal("sendMessage", chat_id=group, text="x") == (403, description)


async def test_an_upgraded_group_names_its_new_id(telegram: World) -> None:
    group = await telegram.group()
    await telegram.write(type="upgrade_group", ad=GROUP)

    answer = (await telegram.call("sendMessage", chat_id=group, text="x")).json()
    assert answer["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    after = answer["parameters"]["migrate_to_chat_id"]
    assert str(after).startswith("-100")
    assert (await telegram.result("sendMessage", chat_id=after, text="x"))["chat"]["type"] == "supergroup"
    assert (await telegram.write(text="тут", ad=GROUP))["chat_id"] == str(after)


async def test_who_never_wrote_cannot_be_written_to_first(telegram: World) -> None:
    person = int((await telegram.control("POST", "/customers", json={"name": "Анна"})).json()["id"])
    assert await telegram.refusal("sendMessage", chat_id=person, text="x") == (
        400,
        "Bad Request: chat not found",
    )

    async with opened(never_started_status=403) as world:
        assert await world.refusal("sendMessage", chat_id=person, text="x") == (
            403,
            "Forbidden: bot can't initiate conversation with a user",
        )


async def test_contacts_and_places(telegram: World) -> None:
    chat = await telegram.chat()
    contact = await telegram.result(
        "sendContact", chat_id=chat, phone_number="+79001112233", first_name="Пётр"
    )
    place = await telegram.result("sendLocation", chat_id=chat, latitude=55.7, longitude="37.6")

    assert contact["contact"] == {"phone_number": "+79001112233", "first_name": "Пётр"}
    assert place["location"] == {"latitude": 55.7, "longitude": 37.6}
    assert (await telegram.refusal("sendLocation", chat_id=chat, latitude=91, longitude=0))[0] == 400
    vcard = {"phone_number": "1", "first_name": "x", "vcard": "x" * 2049}
    assert (await telegram.refusal("sendContact", chat_id=chat, **vcard))[0] == 400


async def test_typing_is_seen_until_a_message_arrives(telegram: World) -> None:
    chat = await telegram.chat()
    assert await telegram.result("sendChatAction", chat_id=chat, action="typing") is True
    assert (await telegram.refusal("sendChatAction", chat_id=chat, action="dancing"))[0] == 400

    async def note() -> object:
        customers = (await telegram.control("GET", "/customers")).json()["customers"]
        return customers[0]["chats"][0]["note"]

    assert await note() == "бот печатает…"
    await telegram.result("sendMessage", chat_id=chat, text="x")
    assert await note() is None


async def test_a_contact_can_be_asked_for_in_private_only(telegram: World) -> None:
    markup = {"keyboard": [[{"text": "Отправить номер", "request_contact": True}]]}
    chat, group = await telegram.chat(), await telegram.group()
    sent = await telegram.result("sendMessage", chat_id=chat, text="Оставьте номер", reply_markup=markup)
    assert "reply_markup" not in sent
    assert (await telegram.refusal("sendMessage", chat_id=group, text="x", reply_markup=markup))[0] == 400

    await telegram.subscribe(drop_pending_updates=True)
    await telegram.write(type="press", text="Отправить номер")
    [message] = telegram.receiver.payloads
    assert message["contact"]["user_id"] == message["from"]["id"] == chat
    assert message["reply_to_message"]["text"] == "Оставьте номер"


async def test_an_edit_changes_the_text_and_nothing_to_change_is_refused(telegram: World) -> None:
    chat = await telegram.chat()
    sent = await telegram.result("sendMessage", chat_id=chat, text="было")
    named = {"chat_id": chat, "message_id": sent["message_id"]}

    edited = await telegram.result("editMessageText", **named, text="<b>стало</b>", parse_mode="HTML")
    status, words = await telegram.refusal("editMessageText", **named, text="<b>стало</b>", parse_mode="HTML")
    plain = await telegram.result("editMessageText", **named, text="стало")

    assert (edited["text"], edited["entities"][0]["type"]) == ("стало", "bold")
    assert edited["edit_date"] == int(telegram.time.moment)
    assert (status, words.startswith("Bad Request: message is not modified: ")) == (400, True)
    assert "entities" not in plain
    assert (await telegram.refusal("editMessageText", chat_id=chat, message_id=11, text="x"))[0] == 400
    assert (await telegram.refusal("editMessageText", chat_id=chat, message_id=99, text="x"))[0] == 400


async def test_deleting_works_for_two_days(telegram: World) -> None:
    chat = await telegram.chat()
    assert await telegram.result("deleteMessage", chat_id=chat, message_id=11) is True
    assert await telegram.seen() == []
    assert (await telegram.refusal("deleteMessage", chat_id=chat, message_id=11)) == (
        400,
        "Bad Request: message to delete not found",
    )

    old = await telegram.result("sendMessage", chat_id=chat, text="x")
    await telegram.fault(clock_ahead=48 * 3600 + 1)
    assert (await telegram.refusal("deleteMessage", chat_id=chat, message_id=old["message_id"]))[0] == 400


async def test_the_bot_reacts(telegram: World) -> None:
    chat = await telegram.chat()
    named = {"chat_id": chat, "message_id": 11}
    reaction = [{"type": "emoji", "emoji": "👍"}]

    assert await telegram.result("setMessageReaction", **named, reaction=reaction) is True
    assert (await telegram.seen())[0]["reactions"] == reaction
    wrong = await telegram.refusal("setMessageReaction", **named, reaction=[{"type": "emoji", "emoji": "ok"}])
    assert wrong == (400, "Bad Request: REACTION_INVALID")
    assert await telegram.result("setMessageReaction", **named, reaction=[]) is True


async def test_a_protected_message_says_so(telegram: World) -> None:
    sent = await telegram.result("sendMessage", chat_id=await telegram.chat(), text="x", protect_content=True)

    assert sent["has_protected_content"] is True
