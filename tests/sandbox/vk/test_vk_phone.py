import json
from typing import Any

import pytest

from tests.sandbox.vk.world import VkWorld

TEXT = {"action": {"type": "text", "label": "Цены", "payload": '{"a":"price"}'}}
CALLBACK = {"action": {"type": "callback", "label": "Позвоните", "payload": '{"a":"call"}'}}
LINK = {"action": {"type": "open_link", "label": "Сайт", "link": "https://x.test"}}
PLACE = {"action": {"type": "location"}}
APP = {"action": {"type": "open_app", "label": "Игра", "app_id": 1}}


@pytest.fixture(autouse=True)
async def _subscribed(vk: VkWorld) -> None:
    await vk.subscribe()


def keyboard(*buttons: dict[str, Any], **more: Any) -> str:
    return json.dumps({"buttons": [[button] for button in buttons], **more})


async def shown_keyboard(vk: VkWorld) -> list[list[dict[str, Any]]]:
    customers = (await vk.control("GET", "/customers")).json()["customers"]
    return list(customers[0]["chats"][0]["keyboard"])


async def test_buttons_on_the_phone_carry_the_letters_that_press_them(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "?", keyboard=keyboard(TEXT, CALLBACK, LINK, PLACE, APP, inline=True))

    [[price], [call], [site], [place], [game]] = (await vk.seen())[-1]["buttons"]
    assert (site["url"], site["press"], game["url"], game["press"]) == ("https://x.test", None, None, None)
    await vk.write(**price["press"])
    assert (vk.receiver.texts[-1], vk.receiver.objects[-1]["message"]["payload"]) == ("Цены", '{"a":"price"}')
    await vk.write(**call["press"])
    assert (vk.receiver.types[-1], vk.receiver.objects[-1]["payload"]) == ("message_event", {"a": "call"})
    await vk.write(**place["press"])
    assert vk.receiver.objects[-1]["message"]["geo"]


async def test_what_answers_a_press_is_shown_at_its_message(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "?", keyboard=keyboard(CALLBACK, inline=True))
    await vk.write(type="press")

    pressed = {"event_id": vk.receiver.objects[-1]["event_id"], "user_id": peer, "peer_id": peer}
    answer = json.dumps({"type": "show_snackbar", "text": "Перезвоним"})
    await vk.api("messages.sendMessageEventAnswer", **pressed, event_data=answer)
    assert (await vk.seen())[-1]["notes"] == ["Перезвоним"]


async def test_a_keyboard_stays_until_it_is_taken_away_or_used_once(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    await vk.send(peer, "?", 1, keyboard=keyboard(TEXT))
    await vk.write(text="да")
    assert [[key["text"] for key in row] for row in await shown_keyboard(vk)] == [["Цены"]]
    assert (await vk.seen())[1]["buttons"] == []
    await vk.send(peer, "?", 2, keyboard=keyboard())
    assert await shown_keyboard(vk) == []

    await vk.send(peer, "?", 3, keyboard=keyboard(TEXT, one_time=True))
    [[price]] = await shown_keyboard(vk)
    await vk.write(**price["press"])
    assert await shown_keyboard(vk) == []


async def test_the_phone_shows_edits_and_reactions(vk: VkWorld) -> None:
    peer = await vk.write(text="ошипка")
    await vk.send(peer, "ответ")
    await vk.write(type="edit", text="ошибка")
    await vk.write(type="reaction", content={"reaction_id": 4})

    first, last = await vk.seen()
    assert (first["edited"], first["marks"], last["edited"], last["marks"]) == (True, [], False, ["👍"])


async def test_the_numbers_of_messages_do_not_come_again_after_a_reset(vk: VkWorld) -> None:
    """Nor after a restart: whoever remembers the earlier ones would take a new message for a repeat."""
    before = (await vk.written(text="раз"))["message_ids"]
    await vk.time.pass_(60 * 86_400)
    await vk.control("POST", "/reset")

    peer = await vk.write(text="раз")
    [message] = await vk.history(peer)
    assert [f"{peer}:{message['conversation_message_id']}"] != before
    assert (await vk.seen())[0]["id"] not in before
    assert (await vk.api("messages.getById", message_ids=message["id"]))["items"][0]["text"] == "раз"
