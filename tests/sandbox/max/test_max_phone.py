from typing import Any

from tests.sandbox.max.world import MaxWorld

ROW = [
    {"type": "callback", "text": "Да", "payload": "yes"},
    {"type": "message", "text": "Цены"},
    {"type": "link", "text": "Сайт", "url": "https://x.test"},
    {"type": "clipboard", "text": "Код", "payload": "42"},
]


async def place(max_: MaxWorld) -> dict[str, Any]:
    customers = (await max_.control("GET", "/customers")).json()["customers"]
    return dict(customers[0]["chats"][0])


async def test_buttons_on_the_phone_carry_the_letters_that_press_them(max_: MaxWorld) -> None:
    await max_.subscribe()
    chat = await max_.dialog()
    keyboard = {"type": "inline_keyboard", "payload": {"buttons": [ROW]}}
    mid = await max_.mid(chat, "?", attachments=[keyboard])

    [[yes, prices, site, code]] = (await max_.seen())[-1]["buttons"]
    assert (site["url"], site["press"], code["url"], code["press"]) == ("https://x.test", None, None, None)
    await max_.write(**yes["press"])
    assert (max_.last["callback"]["payload"], max_.last["message"]["body"]["mid"]) == ("yes", mid)
    await max_.write(**prices["press"])
    assert (await max_.seen())[-1]["text"] == "Цены"


async def test_typing_shows_for_some_seconds_or_until_the_bot_writes(max_: MaxWorld) -> None:
    chat = await max_.dialog()

    async def types() -> bool:
        await max_.api("POST", f"/chats/{chat}/actions", json={"action": "typing_on"})
        return bool((await place(max_))["typing"])

    assert not (await place(max_))["typing"]
    assert await types()
    await max_.time.pass_(6)
    assert not (await place(max_))["typing"]
    assert await types()
    await max_.sent(chat, "ответ")
    assert not (await place(max_))["typing"]


async def test_the_phone_shows_what_was_edited(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    mid = await max_.mid(chat, "раз")
    await max_.api("PUT", "/messages", params={"message_id": mid}, json={"text": "два"})

    last = (await max_.seen())[-1]
    assert (last["text"], last["edited"]) == ("два", True)
