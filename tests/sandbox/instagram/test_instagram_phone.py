from tests.sandbox.instagram.world import InstagramWorld

REPLIES = [{"content_type": "text", "title": "Выезд", "payload": "VISIT"}, {"content_type": "user_phone"}]


async def test_quick_replies_carry_the_letters_that_tap_them_and_go_with_the_next_message(
    instagram: InstagramWorld,
) -> None:
    await instagram.subscribe()
    chat = await instagram.open_chat()
    await instagram.post(chat, message={"text": "Где удобнее?", "quick_replies": REPLIES})

    [[visit], [phone]] = (await instagram.seen())[-1]["buttons"]
    assert phone == {"text": "user_phone", "press": None, "url": None}
    await instagram.write(**visit["press"])
    assert instagram.callback.items[-1]["message"]["quick_reply"] == {"payload": "VISIT"}
    assert [message["buttons"] for message in await instagram.seen()] == [[], [], []]


async def test_the_phone_shows_typing_and_reactions(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.send(chat, "ответ")
    await instagram.post(chat, sender_action="typing_on")
    await instagram.write(type="reaction")

    customers = (await instagram.control("GET", "/customers")).json()["customers"]
    assert next(one for one in customers if one["id"] == chat)["chats"][0]["typing"]
    assert (await instagram.seen())[-1]["marks"] == ["❤️"]
