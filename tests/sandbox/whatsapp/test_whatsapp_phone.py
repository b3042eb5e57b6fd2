from tests.sandbox.whatsapp.shop import Shop


async def test_the_phone_shows_edits_and_the_latest_reaction_of_everybody(shop: Shop) -> None:
    written = (await shop.write(text="ошипка"))["message_ids"][0]
    await shop.write(type="edit", text="ошибка")
    sent = (await shop.send("ответ"))["message_id"]
    for emoji in ("👍", "🔥"):
        await shop.write(type="reaction", text=emoji, quote=sent)
    await shop.post("sync/message/reaction", {"message_id": sent, "body": "❤"})

    shown = {
        message["id"]: (message["text"], message["edited"], message["marks"]) for message in await shop.seen()
    }
    assert shown[written] == ("ошибка", True, [])
    assert shown[sent] == ("ответ", False, ["🔥", "❤"])
    await shop.write(type="reaction", content={"body": ""}, quote=sent)
    assert next(m["marks"] for m in await shop.seen() if m["id"] == sent) == ["❤"]


async def test_nobody_reacts_to_a_reaction_or_edits_one(shop: Shop) -> None:
    sent = (await shop.send("ответ"))["message_id"]
    written = (await shop.write(text="ошипка"))["message_ids"][0]
    await shop.post("sync/message/reaction", {"message_id": written, "body": "❤"})
    await shop.write(type="reaction")
    await shop.write(type="edit", text="ошибка")

    shown = {message["id"]: message for message in await shop.seen()}
    assert (shown[sent]["marks"], shown[written]["text"], shown[written]["edited"]) == (
        ["👍"],
        "ошибка",
        True,
    )


async def test_what_a_browser_recorded_is_a_voice_note(shop: Shop) -> None:
    await shop.subscribe()
    await shop.write(voice={"base64": "GkXfow==", "type": "audio/webm;codecs=opus"})

    [item] = shop.outside.told("incoming_message")
    assert (item["type"], item["mimetype"]) == ("ptt", "audio/ogg; codecs=opus")
