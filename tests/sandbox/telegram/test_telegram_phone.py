from typing import Any

import pytest

from tests.sandbox.telegram.world import World


async def place(telegram: World) -> dict[str, Any]:
    """The chat with the bot, as the phone lists it."""
    customers = (await telegram.control("GET", "/customers")).json()["customers"]
    return dict(customers[0]["chats"][0])


async def test_a_button_on_the_phone_carries_the_letter_that_presses_it(telegram: World) -> None:
    await telegram.subscribe()
    chat = await telegram.chat()
    keys = [[{"text": "Да", "callback_data": "ok"}, {"text": "Сайт", "url": "https://x.test"}]]
    await telegram.result("sendMessage", chat_id=chat, text="?", reply_markup={"inline_keyboard": keys})

    [[yes, site]] = (await telegram.seen())[-1]["buttons"]
    assert (yes["text"], yes["url"], site) == (
        "Да",
        None,
        {"text": "Сайт", "press": None, "url": "https://x.test"},
    )
    await telegram.write(**yes["press"])
    query = telegram.receiver.payloads[-1]
    await telegram.result("answerCallbackQuery", callback_query_id=query["id"], text="Готово")
    assert (query["data"], (await telegram.seen())[-1]["notes"]) == ("ok", ["Готово"])


async def test_a_keyboard_stands_in_place_of_the_phones_own(telegram: World) -> None:
    await telegram.subscribe()
    chat = await telegram.chat()
    assert (await place(telegram))["keyboard"] == []
    await telegram.result("sendMessage", chat_id=chat, text="?", reply_markup={"keyboard": [["Экран"]]})

    [[screen]] = (await place(telegram))["keyboard"]
    await telegram.write(**screen["press"])
    assert telegram.receiver.texts[-1] == "Экран"


async def test_the_phone_shows_typing_edits_and_everybodys_reactions(telegram: World) -> None:
    chat = await telegram.chat()
    sent = await telegram.result("sendMessage", chat_id=chat, text="раз")
    await telegram.result("sendChatAction", chat_id=chat, action="typing")
    await telegram.result("editMessageText", chat_id=chat, message_id=sent["message_id"], text="два")
    await telegram.write(type="reaction", content={"emoji": "🔥"})

    assert (await place(telegram))["typing"]
    last = (await telegram.seen())[-1]
    assert (last["text"], bool(last["edited"]), last["marks"]) == ("два", True, ["🔥"])


@pytest.mark.parametrize("topic", [1, 2, 3])
async def test_the_numbers_of_messages_do_not_come_again_after_a_reset(telegram: World, topic: int) -> None:
    """Nor after a restart: whoever remembers the earlier ones would take a new message for a repeat."""
    before = (await telegram.write(ad=topic, text="раз"))["message_ids"]
    await telegram.time.pass_(60 * 86_400)
    await telegram.control("POST", "/reset")

    assert (await telegram.write(ad=topic, text="раз"))["message_ids"] != before
