"""Everything a customer can do, and the update it makes (contract §3, §4, §9)."""

import base64
from typing import Any

import pytest

from sandbox.media import made_up_picture
from tests.sandbox.telegram.world import GROUP, World
from tests.sandbox.world import settle


@pytest.fixture(autouse=True)
async def _subscribed(telegram: World) -> None:
    await telegram.subscribe(
        allowed_updates=["message", "edited_message", "callback_query", "my_chat_member"]
    )


async def test_text_becomes_the_caption_of_a_photo(telegram: World) -> None:
    written = await telegram.write(text="Вот трещина", image=True)

    [message] = telegram.receiver.payloads
    assert len(written["message_ids"]) == 1
    assert (message["caption"], "text" in message) == ("Вот трещина", False)
    sizes = [(size["width"], size["height"]) for size in message["photo"]]
    assert sizes == [(90, 67), (320, 240), (1280, 960)]
    for size in message["photo"]:
        content = (await telegram.download(size["file_id"])).content
        assert content.startswith(b"\xff\xd8")
        assert len(content) == size["file_size"]


async def test_the_customers_own_picture_and_recording(telegram: World) -> None:
    picture = made_up_picture(300, 200).content
    await telegram.write(
        image={"base64": base64.b64encode(picture).decode()},
        voice={"base64": base64.b64encode(b"OggS").decode(), "type": "audio/ogg"},
    )

    photo, voice = telegram.receiver.payloads
    assert (await telegram.download(photo["photo"][-1]["file_id"])).content == picture
    assert (await telegram.download(voice["voice"]["file_id"])).content == b"OggS"
    assert voice["voice"]["mime_type"] == "audio/ogg"


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("photo", b"\xff\xd8"),
        ("voice", b"OggS"),
        ("audio", b"ID3"),
        ("video", b"\0\0\0"),
        ("video_note", b"\0\0\0"),
        ("animation", b"\0\0\0"),
        ("sticker", b"RIFF"),
        ("document", b"%PDF"),
    ],
)
async def test_every_kind_of_file_really_opens(telegram: World, kind: str, start: bytes) -> None:
    await telegram.write(type=kind)

    [message] = telegram.receiver.payloads
    found = message[kind][-1] if kind == "photo" else message[kind]
    content = (await telegram.download(found["file_id"])).content
    assert content.startswith(start)
    assert len(content) == found["file_size"]
    if kind in {"video", "animation", "sticker", "video_note"}:
        assert found["thumbnail"] == found["thumb"]
        assert (await telegram.download(found["thumb"]["file_id"])).content.startswith(b"\xff\xd8")
    assert ("document" in message) == (kind in {"document", "animation"})


@pytest.mark.parametrize(
    "kind",
    [
        "contact",
        "location",
        "live_location",
        "venue",
        "dice",
        "poll",
        "game",
        "invoice",
        "story",
        "paid_media",
        "checklist",
        "live_photo",
        "rich_message",
    ],
)
async def test_every_other_content_can_be_written(telegram: World, kind: str) -> None:
    await telegram.write(type=kind)

    [message] = telegram.receiver.payloads
    assert {"live_location": "location"}.get(kind, kind) in message
    assert ("location" in message) == (kind in {"location", "live_location", "venue"})


async def test_the_newest_contents_have_the_fields_of_bot_api_10(telegram: World) -> None:
    for kind in ("poll", "live_photo", "rich_message"):
        await telegram.write(type=kind)

    poll, live, rich = telegram.receiver.payloads
    assert (poll["poll"]["allows_revoting"], poll["poll"]["members_only"]) == (True, False)
    assert [option["persistent_id"] for option in poll["poll"]["options"]] == ["1", "2"]
    assert {"file_id", "file_unique_id", "width", "height", "duration"} <= live["live_photo"].keys()
    assert live["photo"] == live["live_photo"]["photo"]
    assert rich["rich_message"]["blocks"][0]["type"] == "paragraph"


async def test_content_can_be_given(telegram: World) -> None:
    place = {"latitude": 1.5, "longitude": 2.5}
    await telegram.write(type="location", content=place)
    await telegram.write(type="voice", content={"duration": 61, "caption": "слушайте"})
    await telegram.write(type="document", content={"base64": "eA==", "file_name": "x.txt"})

    location, voice, document = telegram.receiver.payloads
    assert location["location"] == place
    assert (voice["voice"]["duration"], voice["caption"]) == (61, "слушайте")
    assert (document["document"]["file_name"], document["document"]["file_size"]) == ("x.txt", 1)


async def test_an_own_contact_names_the_sender_and_another_does_not(telegram: World) -> None:
    await telegram.write(type="own_contact")
    await telegram.write(type="contact")

    own, other = telegram.receiver.payloads
    assert own["contact"]["user_id"] == own["from"]["id"]
    assert "user_id" not in other["contact"]


async def test_a_deep_link_arrives_as_a_command(telegram: World) -> None:
    await telegram.write(type="start", content={"payload": "ad_42"})

    [message] = telegram.receiver.payloads
    assert message["text"] == "/start ad_42"
    assert message["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]


async def test_a_reply_shows_what_it_answers_one_level_deep(telegram: World) -> None:
    first = (await telegram.write(text="раз"))["message_ids"][0]
    second = (await telegram.write(text="два", quote=first))["message_ids"][0]
    await telegram.write(text="три", quote=second)

    answered = telegram.receiver.payloads[2]["reply_to_message"]
    assert answered["text"] == "два"
    assert "reply_to_message" not in answered


async def test_quotes_forwards_and_replies_to_stories(telegram: World) -> None:
    first = (await telegram.write(text="экран и стекло"))["message_ids"][0]
    await telegram.write(type="quote", text="это", quote=first, content={"part": "стекло"})
    await telegram.write(type="forward", text="чужое")
    await telegram.write(type="story_reply", text="красиво")

    _, quoted, forwarded, to_story = telegram.receiver.payloads
    assert quoted["quote"] == {"text": "стекло", "position": 8, "is_manual": True}
    assert quoted["reply_to_message"]["text"] == "экран и стекло"
    assert forwarded["forward_origin"]["sender_user"] == forwarded["forward_from"]
    assert "id" in to_story["reply_to_story"]


async def test_a_view_once_picture_never_reaches_the_bot(telegram: World) -> None:
    await telegram.write(type="view_once")

    assert telegram.receiver.requests == []
    assert len(await telegram.seen()) == 1


async def test_an_album_may_mix_photos_and_videos(telegram: World) -> None:
    await telegram.write(type="album", content={"items": ["photo", {"type": "video", "duration": 9}]})
    await telegram.time.pass_(1)

    photo, video = telegram.receiver.payloads
    assert ("photo" in photo, video["video"]["duration"]) == (True, 9)
    assert isinstance(photo["media_group_id"], str)
    assert photo["media_group_id"] == video["media_group_id"]


async def test_an_edit_carries_the_whole_new_message(telegram: World) -> None:
    await telegram.write(text="было")
    await telegram.write(type="edit", text="стало")
    await telegram.write(image=True, text="подпись")
    await telegram.write(type="edit", text="другая подпись")
    await telegram.write(type="edit")

    kinds, payloads = telegram.receiver.kinds, telegram.receiver.payloads
    assert kinds == ["message", "edited_message", "message", "edited_message", "edited_message"]
    assert (payloads[1]["message_id"], payloads[1]["text"]) == (11, "стало")
    assert payloads[1]["edit_date"] == int(telegram.time.moment)
    assert (payloads[3]["caption"], "photo" in payloads[3]) == ("другая подпись", True)
    assert payloads[4] == payloads[3]


async def test_deleting_in_a_bots_chat_is_not_told(telegram: World) -> None:
    written = await telegram.write(text="ошибка")
    assert (await telegram.control("DELETE", f"/messages/{written['message_ids'][0]}")).status_code == 200
    assert (await telegram.control("DELETE", "/messages/none")).status_code == 404

    assert telegram.receiver.kinds == ["message"]
    assert await telegram.seen() == []


async def test_a_button_press_is_a_callback_query_that_wants_an_answer(telegram: World) -> None:
    chat = await telegram.chat()
    markup = {
        "inline_keyboard": [
            [{"text": "Да", "callback_data": "ok:42"}, {"text": "Сайт", "url": "https://x.test"}]
        ]
    }
    sent = await telegram.result("sendMessage", chat_id=chat, text="Подтвердить запись?", reply_markup=markup)
    await telegram.write(type="press", content={"data": "ok:42"})

    query = telegram.receiver.payloads[-1]
    assert sent["reply_markup"] == markup
    assert (query["data"], query["from"]["id"]) == ("ok:42", chat)
    assert query["message"] == sent
    assert query["chat_instance"].startswith("-")
    assert await telegram.result("answerCallbackQuery", callback_query_id=query["id"], text="Готово") is True
    long = await telegram.refusal("answerCallbackQuery", callback_query_id=query["id"], text="x" * 201)
    assert long[0] == 400


async def test_late_and_unknown_presses_cannot_be_answered(telegram: World) -> None:
    words = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    assert await telegram.refusal("answerCallbackQuery", callback_query_id="1") == (400, words)

    chat = await telegram.chat()
    markup = {"inline_keyboard": [[{"text": "Да", "callback_data": "1"}]]}
    await telegram.result("sendMessage", chat_id=chat, text="x", reply_markup=markup)
    await telegram.write(type="press", text="Да", content={"inaccessible": True})
    await telegram.fault(clock_ahead=1000)

    query = telegram.receiver.payloads[-1]
    assert query["message"] == {"chat": query["message"]["chat"], "message_id": 12, "date": 0}
    assert await telegram.refusal("answerCallbackQuery", callback_query_id=query["id"]) == (400, words)


async def test_a_button_that_is_not_there_cannot_be_pressed(telegram: World) -> None:
    await telegram.chat()
    answer = await telegram.control("POST", "/customers/Анна/messages", json={"type": "press"})

    assert answer.status_code == 404


async def test_a_keyboards_button_writes_its_text(telegram: World) -> None:
    chat = await telegram.chat()
    await telegram.result(
        "sendMessage", chat_id=chat, text="Что сломалось?", reply_markup={"keyboard": [["Экран"]]}
    )
    await telegram.write(type="press", text="Экран")

    assert telegram.receiver.texts[-1] == "Экран"


async def test_blocking_and_unblocking_is_told(telegram: World) -> None:
    await telegram.chat()
    await telegram.write(type="block")
    refused = await telegram.control("POST", "/customers/Анна/messages", json={"text": "ау"})
    await telegram.write(type="unblock")

    members = telegram.receiver.payloads[1:]
    assert refused.status_code == 409
    assert telegram.receiver.kinds[1:] == ["my_chat_member", "my_chat_member"]
    statuses = [(m["old_chat_member"]["status"], m["new_chat_member"]["status"]) for m in members]
    assert statuses == [("member", "kicked"), ("kicked", "member")]
    assert members[0]["new_chat_member"]["user"]["is_bot"] is True


async def test_a_group_has_negative_ids_and_becomes_another(telegram: World) -> None:
    group = await telegram.group()
    await telegram.write("Борис", text="и вам", ad=GROUP)
    await telegram.write(type="upgrade_group", ad=GROUP)
    await settle()

    hello, answer, away, new = telegram.receiver.payloads
    assert hello["chat"] == {"id": group, "title": "Клиенты мастерской", "type": "group"}
    assert answer["from"]["first_name"] == "Борис"
    assert away["migrate_to_chat_id"] == new["chat"]["id"]
    assert new["migrate_from_chat_id"] == group
    assert new["chat"]["type"] == "supergroup"


@pytest.mark.parametrize(
    "kind", ["new_chat_members", "left_chat_member", "pinned_message", "group_chat_created"]
)
async def test_service_messages(telegram: World, kind: str) -> None:
    await telegram.write(type=kind, ad=GROUP)

    assert kind in telegram.receiver.payloads[0]


async def test_any_other_update_can_be_made_up(telegram: World) -> None:
    payload = {"anything": [1]}
    await telegram.write(type="update", content={"kind": "stopped_time", "payload": payload})

    assert telegram.receiver.updates[0]["stopped_time"] == payload


@pytest.mark.parametrize(
    ("letter", "status"),
    [
        ({"type": "nonsense"}, 422),
        ({"type": "update"}, 422),
        ({"type": "album", "content": {"count": 11}}, 422),
        ({"type": "album", "content": {"items": ["sticker", "photo"]}}, 422),
        ({"type": "document", "content": {"base64": "?"}}, 422),
        ({"type": "upgrade_group"}, 422),
        ({"type": "kick_bot"}, 422),
        ({"type": "owner"}, 409),
        ({"type": "edit", "text": "x"}, 404),
        ({"text": "x", "quote": "1:1"}, 404),
        ({"text": "x", "chat": "1"}, 404),
        ({"text": "x", "ad": 9}, 404),
    ],
)
async def test_what_cannot_be_written(telegram: World, letter: dict[str, Any], status: int) -> None:
    answer = await telegram.control("POST", "/customers/Анна/messages", json=letter)

    assert (answer.status_code, "error" in answer.json()) == (status, True)


async def test_the_phone_sees_pictures_and_recordings_at_addresses(telegram: World) -> None:
    await telegram.write(image=True, voice=True)

    photo, voice = await telegram.seen()
    assert (await telegram.web.get(photo["image_url"])).content.startswith(b"\xff\xd8")
    assert (await telegram.web.get(voice["voice_url"])).headers["content-type"] == "audio/ogg"


async def test_the_customer_reads_and_nobody_is_told(telegram: World) -> None:
    chat = await telegram.chat()
    await telegram.result("sendMessage", chat_id=chat, text="ответ")

    first = (await telegram.control("POST", "/customers/Анна/read")).json()
    again = (await telegram.control("POST", "/customers/Анна/read")).json()
    assert (first, again) == ({"read": 1}, {"read": 0})
    assert telegram.receiver.kinds == ["message"]
