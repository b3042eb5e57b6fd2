import json
from typing import Any

import pytest

from tests.sandbox.instagram.conftest import Opens
from tests.sandbox.instagram.world import ACCOUNT, JPEG, MP4, PDF, TOKEN, InstagramWorld

DAY = 86_400


async def test_a_text_is_sent_seen_and_echoed_with_the_same_mid(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.subscribe()

    answer = (await instagram.send(chat, "Свободно завтра")).json()

    assert answer["recipient_id"] == chat
    assert [(m["direction"], m["text"]) for m in await instagram.seen()] == [
        ("in", "Здравствуйте!"),
        ("out", "Свободно завтра"),
    ]
    [echo] = instagram.callback.items
    assert echo["message"] == {"mid": answer["message_id"], "text": "Свободно завтра", "is_echo": True}
    assert (echo["sender"]["id"], echo["recipient"]["id"]) == (ACCOUNT, chat)


async def test_a_form_with_objects_as_json_and_the_token_in_the_query_will_do(
    instagram: InstagramWorld,
) -> None:
    chat = await instagram.open_chat()
    form = {"recipient": json.dumps({"id": chat}), "message": json.dumps({"text": "да"})}

    answer = await instagram.web.post(
        f"/instagram/{ACCOUNT}/messages", params={"access_token": TOKEN}, data=form
    )

    assert answer.json()["recipient_id"] == chat


async def test_half_a_character_in_a_form_is_refused(instagram: InstagramWorld) -> None:
    form = {"recipient": json.dumps({"id": "1"}), "message": '{"text": "\\ud83d"}'}

    assert await instagram.refusal("POST", "/me/messages", data=form) == (400, 100, None)


async def test_a_text_has_at_most_a_thousand_bytes_of_utf8(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()

    assert (await instagram.send(chat, "я" * 500)).status_code == 200
    assert await instagram.refused(chat, message={"text": "я" * 500 + "a"}) == (400, 100, None)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, 100, None)),
        ({"message": {"text": "a"}, "sender_action": "typing_on"}, (400, 100, 2018014)),
        ({"message": {"text": " "}}, (400, 100, 2534015)),
        ({"message": {"text": "a", "attachment": {"type": "like_heart"}}}, (400, 100, 2534015)),
        ({"message": {"text": "смотри http://"}}, (400, 100, 2534015)),
        ({"message": {"attachment": {"type": "sticker"}}}, (400, 100, 2534015)),
        ({"message": {"attachments": [{"type": "video", "payload": {}}]}}, (400, 100, 2534015)),
        ({"message": {"attachments": [{"type": "image"}] * 11}}, (400, 100, 2534015)),
        (
            {"message": {"attachment": {"type": "image", "payload": {"url": "ftp://a/b"}}}},
            (400, 100, 2018008),
        ),
        (
            {"message": {"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}},
            (400, 100, 2534015),
        ),
        ({"message": {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": "1"}}}}, (400, 100, 2534015)),
        ({"message": {"text": "a"}, "messaging_type": "PROMO"}, (400, 100, None)),
        ({"message": {"text": "a"}, "messaging_type": "MESSAGE_TAG"}, (400, 100, None)),
        ({"message": {"text": "a"}, "tag": "HUMAN_AGENT"}, (400, 100, None)),
        ({"message": {"text": "a"}, "reply_to": {"mid": "none"}}, (400, 100, 2534015)),
        ({"sender_action": "wave"}, (400, 100, None)),
        ({"sender_action": "react", "payload": {"message_id": "none"}}, (400, 100, 2534015)),
    ],
)
async def test_a_body_that_makes_no_sense_is_code_100(
    instagram: InstagramWorld, body: dict[str, Any], refusal: tuple[int, int, int | None]
) -> None:
    assert await instagram.refused(await instagram.open_chat(), **body) == refusal


async def test_quick_replies_are_cut_and_at_most_thirteen(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    reply = {"content_type": "text", "title": "т" * 25, "payload": "visit"}
    message = {"text": "Где удобнее?", "quick_replies": [reply, {"content_type": "user_phone"}]}

    assert (await instagram.post(chat, messaging_type="RESPONSE", message=message)).status_code == 200

    shown = (await instagram.seen())[-1]["content"]["quick_replies"]
    assert [item.get("title") for item in shown] == ["т" * 20, None]
    too_many = {"text": "a", "quick_replies": [reply] * 14}
    assert await instagram.refused(chat, message=too_many) == (400, 100, 2534015)


@pytest.mark.parametrize(
    ("kind", "content", "key"),
    [("image", JPEG, "image_url"), ("video", MP4, None), ("audio", MP4, "voice_url"), ("file", PDF, None)],
)
async def test_a_file_is_fetched_and_opens_for_the_customer(
    instagram: InstagramWorld, kind: str, content: bytes, key: str | None
) -> None:
    chat = await instagram.open_chat()
    instagram.callback.files["f"] = content
    attachment = {"type": kind, "payload": {"url": "https://files.test/f"}}

    assert (await instagram.post(chat, message={"attachment": attachment})).status_code == 200

    message = (await instagram.seen())[-1]
    link = message["content"]["attachments"][0]["payload"]["url"]
    assert (await instagram.web.get(link)).content == content
    assert key is None or message[key] == link


@pytest.mark.parametrize(
    ("kind", "content", "subcode"),
    [
        ("image", None, 2018008),
        ("image", PDF, 2018047),
        ("audio", b"OggS\0\0OpusHead", 2018047),
        ("audio", b"ID3mp3", 2018047),
        ("file", JPEG, 2018047),
        ("image", JPEG + b"\0" * 8 * 1024 * 1024, 2018109),
    ],
)
async def test_a_file_that_instagram_does_not_take_is_refused_with_its_subcode(
    instagram: InstagramWorld, kind: str, content: bytes | None, subcode: int
) -> None:
    chat = await instagram.open_chat()
    if content is not None:
        instagram.callback.files["f"] = content
    attachment = {"type": kind, "payload": {"url": "https://files.test/f"}}

    assert await instagram.refused(chat, message={"attachment": attachment}) == (400, 100, subcode)


async def test_several_pictures_a_heart_and_a_post_are_sent(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.subscribe()
    instagram.callback.files["f"] = JPEG
    picture = {"type": "image", "payload": {"url": "https://files.test/f"}}

    for message in (
        {"attachments": [picture, picture]},
        {"attachments": picture},
        {"attachment": {"type": "like_heart"}},
        {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": "18000000000000101"}}},
        {"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": []}}},
    ):
        assert (await instagram.post(chat, message=message)).status_code == 200

    kinds = [[a["type"] for a in item["message"]["attachments"]] for item in instagram.callback.items]
    assert kinds == [["image", "image"], ["image"], ["image"], ["ig_post"], ["template"]]


async def test_a_message_can_answer_a_given_one(instagram: InstagramWorld) -> None:
    written = await instagram.write(text="Цена?")
    await instagram.subscribe()
    mid = written["message_ids"][0]

    await instagram.send(written["chat_id"], "4500", reply_to={"mid": mid})

    assert instagram.callback.items[0]["message"]["reply_to"] == {"mid": mid}


async def test_the_window_closes_24_hours_after_the_customers_last_message(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.time.pass_(DAY - 1)
    assert (await instagram.send(chat, "ещё можно")).status_code == 200

    await instagram.time.pass_(1)
    answer = await instagram.send(chat, "поздно")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (403, 10, 2534022)
    assert "outside of allowed window" in error["message"]
    await instagram.write(text="я тут")
    assert (await instagram.send(chat, "снова можно")).status_code == 200


@pytest.mark.parametrize("kind", ["postback", "story_mention", "story_reply", "quick_reply"])
async def test_other_words_of_the_customer_open_the_window_too(instagram: InstagramWorld, kind: str) -> None:
    chat = (await instagram.write(type=kind))["chat_id"]

    assert (await instagram.send(chat, "ответ")).status_code == 200


async def test_the_business_cannot_begin_and_cannot_write_to_strangers(instagram: InstagramWorld) -> None:
    met = (await instagram.control("POST", "/customers", json={"name": "Зоя"})).json()["id"]

    assert await instagram.refused(met, message={"text": "a"}) == (403, 10, 2534022)
    assert await instagram.refused("olga.k", message={"text": "a"}) == (400, 100, 2534014)


async def test_a_human_agent_has_seven_days_with_the_feature_only(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.time.pass_(2 * DAY)
    tagged = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT", "message": {"text": "Извините"}}
    assert await instagram.refused(chat, **tagged) == (403, 10, 2534022)

    await instagram.fault(human_agent=True)
    assert (await instagram.post(chat, **tagged)).status_code == 200

    await instagram.time.pass_(5 * DAY)
    assert await instagram.refused(chat, **tagged) == (403, 10, 2534022)


async def test_actions_answer_without_a_mid_and_have_no_echo(instagram: InstagramWorld) -> None:
    written = await instagram.write(text="ау")
    chat, mid = written["chat_id"], written["message_ids"][0]
    await instagram.subscribe()

    for action in ("typing_on", "mark_seen"):
        assert (await instagram.post(chat, sender_action=action)).json() == {"recipient_id": chat}
    react = {"sender_action": "react", "payload": {"message_id": mid, "reaction": "love"}}
    assert (await instagram.post(chat, **react)).json() == {"recipient_id": chat}

    [message] = await instagram.seen()
    assert (message["read"], list(message["reactions"].values())) == (True, ["❤️"])
    await instagram.post(chat, sender_action="unreact", payload={"message_id": mid})
    assert (await instagram.seen())[0]["reactions"] == {}
    assert instagram.callback.requests == []


async def test_a_comment_has_one_private_reply(instagram: InstagramWorld) -> None:
    comment = (await instagram.write("Зоя", type="comment", text="Сколько?"))["message_ids"][0]
    body = {"recipient": {"comment_id": comment}, "message": {"text": "4500"}}

    answer = (await instagram.api("POST", "/me/messages", json=body)).json()

    assert [m["text"] for m in await instagram.seen("Зоя")] == ["4500"]
    assert await instagram.refusal("POST", "/me/messages", json=body) == (400, 100, 2534025)
    assert await instagram.refused(answer["recipient_id"], message={"text": "a"}) == (403, 10, 2534022)


async def test_a_live_comment_is_answered_during_the_broadcast_only(instagram: InstagramWorld) -> None:
    comment = (await instagram.write(type="live_comment"))["message_ids"][0]
    await instagram.fault(broadcast_over=True)
    body = {"recipient": {"comment_id": comment}, "message": {"text": "4500"}}

    assert await instagram.refusal("POST", "/me/messages", json=body) == (400, 100, 2534025)


async def test_somebody_who_blocked_the_business_is_unavailable(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.write(type="block")
    assert await instagram.refused(chat, message={"text": "a"}) == (400, 551, None)

    await instagram.write(type="unblock")
    assert (await instagram.send(chat, "a")).status_code == 200


async def test_audio_has_a_smaller_rate_than_text(open_instagram: Opens) -> None:
    async with open_instagram(sends_per_second=3, heavy_sends_per_second=1) as instagram:
        chat = await instagram.open_chat()
        instagram.callback.files["f"] = MP4
        audio = {"attachment": {"type": "audio", "payload": {"url": "https://files.test/f"}}}
        assert (await instagram.post(chat, message=audio)).status_code == 200

        assert await instagram.refused(chat, message=audio) == (400, 613, 2534040)
        for _ in range(3):
            assert (await instagram.send(chat, "a")).status_code == 200
        assert await instagram.refused(chat, message={"text": "a"}) == (400, 613, 2534040)
        await instagram.time.pass_(1)
        assert (await instagram.send(chat, "a")).status_code == 200


async def test_uploads_are_reused_in_flavour_b_and_unknown_in_a(
    open_instagram: Opens, instagram: InstagramWorld
) -> None:
    payload = {"url": "https://files.test/f", "is_reusable": True}
    body = {"platform": "instagram", "message": {"attachment": {"type": "image", "payload": payload}}}
    assert await instagram.refusal("POST", "/me/message_attachments", json=body) == (400, 100, 33)

    async with open_instagram(flavour="facebook") as page:
        page.callback.files["f"] = JPEG
        chat = await page.open_chat()
        number = (await page.api("POST", "/100000000000001/message_attachments", json=body)).json()
        sent = await page.post(chat, message={"attachment": {"type": "image", "payload": number}})
        assert sent.status_code == 200
