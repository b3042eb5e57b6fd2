"""The bot inside the owner's own account (contract §9)."""

import pytest

from tests.sandbox.telegram.world import BUSINESS, World, opened


async def test_both_directions_are_told_and_who_writes_is_seen(telegram: World) -> None:
    await telegram.subscribe()
    chat = (await telegram.write(text="Вы работаете в субботу?", ad=BUSINESS))["chat_id"]
    answer = await telegram.control("POST", "/operator/messages", json={"chat": chat, "text": "Да"})
    await telegram.write(type="away", ad=BUSINESS)

    customer, owner, away = telegram.receiver.payloads
    assert telegram.receiver.kinds == ["business_message"] * 3
    assert {message["business_connection_id"] for message in telegram.receiver.payloads} == {"bcAAAAexample"}
    assert (customer["from"]["id"], customer["message_id"]) == (customer["chat"]["id"], 501)
    assert owner["from"]["id"] == 800_000_001
    assert owner["chat"]["id"] == customer["chat"]["id"]
    assert away["is_from_offline"] is True
    assert answer.json()["message_ids"] == [f"{chat}:502"]


async def test_behind_a_bot_there_is_no_operator(telegram: World) -> None:
    chat = await telegram.chat()
    answer = await telegram.control("POST", "/operator/messages", json={"chat": str(chat), "text": "x"})

    assert answer.status_code == 409


async def test_a_reply_goes_out_in_the_owners_name(telegram: World) -> None:
    await telegram.subscribe()
    where = await telegram.business()

    sent = await telegram.result("sendMessage", **where, text="Да, с десяти")

    assert sent["from"]["id"] == 800_000_001
    assert sent["sender_business_bot"]["id"] == 7_000_000_001
    assert sent["business_connection_id"] == where["business_connection_id"]
    assert (await telegram.seen())[-1]["direction"] == "out"
    assert telegram.receiver.texts == ["ау"]


async def test_a_setting_echoes_what_the_bot_sent() -> None:
    async with opened(business_echo=True) as world:
        await world.subscribe()
        await world.result("sendMessage", **await world.business(), text="эхо")

        echo = world.receiver.payloads[-1]
        assert (echo["text"], echo["sender_business_bot"]["is_bot"]) == ("эхо", True)


async def test_a_business_chat_is_not_the_bots_chat(telegram: World) -> None:
    where = await telegram.business()

    assert (await telegram.refusal("sendMessage", chat_id=where["chat_id"], text="x"))[0] == 400
    await telegram.chat()
    assert (await telegram.result("sendMessage", chat_id=where["chat_id"], text="x"))["message_id"] == 12


async def test_edits_and_deletions_are_told(telegram: World) -> None:
    await telegram.subscribe()
    chat = (await telegram.write(text="раз", ad=BUSINESS))["chat_id"]
    await telegram.write(text="два", chat=chat)
    await telegram.write(type="edit", text="2", chat=chat)
    await telegram.write(type="delete", content={"messages": [501, 502]}, chat=chat)

    assert telegram.receiver.kinds[2:] == ["edited_business_message", "deleted_business_messages"]
    assert telegram.receiver.payloads[2]["text"] == "2"
    deleted = telegram.receiver.payloads[3]
    assert (deleted["business_connection_id"], deleted["message_ids"]) == ("bcAAAAexample", [501, 502])
    assert deleted["chat"]["type"] == "private"


async def test_the_phones_deletion_is_told_too(telegram: World) -> None:
    await telegram.subscribe()
    written = await telegram.write(text="раз", ad=BUSINESS)
    await telegram.control("DELETE", f"/messages/{written['message_ids'][0]}")

    assert telegram.receiver.payloads[-1]["message_ids"] == [501]


async def test_disconnecting_is_told_and_ends_everything(telegram: World) -> None:
    await telegram.subscribe()
    where = await telegram.business()
    await telegram.write(type="business_connection", content={"is_enabled": False})
    await telegram.write(text="никто не слышит", ad=BUSINESS)

    gone = telegram.receiver.payloads[-1]
    assert telegram.receiver.kinds[-1] == "business_connection"
    assert (gone["is_enabled"], gone["user"]["id"], gone["user_chat_id"]) == (
        False,
        800_000_001,
        800_000_001,
    )
    assert await telegram.refusal("sendMessage", **where, text="x") == (
        400,
        "Bad Request: BUSINESS_CONNECTION_INVALID",
    )
    await telegram.write(type="business_connection")
    assert await telegram.result("sendMessage", **where, text="x")


async def test_rights_decide(telegram: World) -> None:
    where = await telegram.business()
    await telegram.write(type="business_connection", content={"rights": {"can_reply": False}})
    shown = await telegram.result(
        "getBusinessConnection", business_connection_id=where["business_connection_id"]
    )

    assert (shown["can_reply"], shown["rights"], shown["is_enabled"]) == (False, {}, True)
    assert (await telegram.refusal("sendMessage", **where, text="x"))[0] == 400
    assert (await telegram.refusal("readBusinessMessage", **where, message_id=501))[0] == 400


@pytest.mark.parametrize("how", [{"closed_window": True}, {"clock_ahead": 86_400}])
async def test_after_a_silent_day_the_chat_is_closed(telegram: World, how: dict[str, object]) -> None:
    where = await telegram.business()
    await telegram.fault(**how)

    assert await telegram.refusal("sendMessage", **where, text="x") == (
        400,
        "Bad Request: BUSINESS_PEER_USAGE_MISSING",
    )


async def test_wrong_connections_and_chats(telegram: World) -> None:
    where = await telegram.business()
    wrong = {**where, "business_connection_id": "other"}
    far = {**where, "chat_id": 5}

    assert (await telegram.refusal("sendMessage", **wrong, text="x"))[1].endswith("_CONNECTION_INVALID")
    assert (await telegram.refusal("sendMessage", **far, text="x"))[1].endswith("_PEER_INVALID")
    assert (await telegram.refusal("readBusinessMessage", **far, message_id=1))[1].endswith("PEER_INVALID")
    assert (await telegram.refusal("getBusinessConnection", business_connection_id="other"))[0] == 400


async def test_messages_are_marked_as_read(telegram: World) -> None:
    where = await telegram.business()

    assert (await telegram.seen())[0]["read"] is False
    assert await telegram.result("readBusinessMessage", **where, message_id=501) is True
    assert (await telegram.seen())[0]["read"] is True
    assert (await telegram.refusal("readBusinessMessage", **where, message_id=9))[0] == 400


async def test_the_owner_sends_pictures_and_edits_too(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.business()
    await telegram.write(type="owner", image=True, text="Вот так будет", ad=BUSINESS)
    await telegram.write(type="edit", text="Примерно так", content={"owner": True}, ad=BUSINESS)

    _, picture, edited = telegram.receiver.payloads
    assert (picture["from"]["id"], picture["caption"]) == (800_000_001, "Вот так будет")
    assert edited["caption"] == "Примерно так"


async def test_the_bot_takes_back_what_it_sent_for_the_owner(telegram: World) -> None:
    """Only with the right, and only through the method that names the connection."""
    where = await telegram.business()
    sent = await telegram.result("sendMessage", **where, text="ой")
    connection = where["business_connection_id"]
    named = {"business_connection_id": connection, "message_ids": [sent["message_id"]]}

    assert (await telegram.refusal("deleteBusinessMessages", **named))[1].endswith("CONNECTION_INVALID")
    rights = {"can_reply": True, "can_delete_sent_messages": True}
    await telegram.write(type="business_connection", content={"rights": rights})
    assert await telegram.result("deleteBusinessMessages", **named) is True
    assert [message["text"] for message in await telegram.seen()] == ["ау"]


async def test_deletions_and_reactions_without_a_method_for_it_mean_the_bots_own_chat(
    telegram: World,
) -> None:
    """deleteMessage and setMessageReaction know no connections: the same number is another message."""
    where = await telegram.business()
    sent = await telegram.result("sendMessage", **where, text="для владельца")
    await telegram.chat()
    named = {**where, "message_id": sent["message_id"]}

    assert (await telegram.refusal("deleteMessage", **named))[1].endswith("message to delete not found")
    assert (await telegram.refusal("setMessageReaction", **named, reaction=[]))[0] == 400
