"""What customers do, by control type, and what the bot gets of it."""

import base64
import hmac
from typing import Any

import pytest

from sandbox.media import made_up_picture
from tests.sandbox.max.world import BOT, TOKEN, MaxWorld


@pytest.fixture(autouse=True)
async def _subscribed(max_: MaxWorld) -> None:
    await max_.subscribe()


async def body(world: MaxWorld, **letter: Any) -> dict[str, Any]:
    """The body the bot gets of what the customer writes."""
    await world.write(**letter)
    return dict(world.last["message"]["body"])


async def test_a_picture_and_its_words_are_one_message_and_voice_another(max_: MaxWorld) -> None:
    written = await max_.write(text="вот", image=True, voice=True)

    first, second = (update["message"]["body"] for update in max_.updates)
    assert (first["text"], [a["type"] for a in first["attachments"]]) == ("вот", ["image"])
    assert ("text" in second, [a["type"] for a in second["attachments"]]) == (False, ["audio"])
    assert written["message_ids"] == [first["mid"], second["mid"]]


@pytest.mark.parametrize(
    ("kind", "seen_as", "payload", "beside"),
    [
        ("photo", "image", {"photo_id", "token", "url"}, set()),
        ("image", "image", {"photo_id", "token", "url"}, set()),
        ("video", "video", {"url", "token"}, {"thumbnail", "width", "height", "duration"}),
        ("voice", "audio", {"url", "token"}, set()),
        ("document", "file", {"url", "token"}, {"filename", "size"}),
        ("sticker", "sticker", {"url", "code"}, {"width", "height"}),
        ("contact", "contact", {"vcf_info", "max_info", "hash"}, set()),
        ("share", "share", {"url"}, {"title", "description"}),
    ],
)
async def test_attachments_have_the_fields_of_the_contract(
    max_: MaxWorld, kind: str, seen_as: str, payload: set[str], beside: set[str]
) -> None:
    [attachment] = (await body(max_, type=kind))["attachments"]

    assert attachment["type"] == seen_as
    assert set(attachment["payload"]) == payload
    assert set(attachment) == {"type", "payload"} | beside
    url = attachment["payload"].get("url", "")
    if "sandbox.test" in url:
        assert (await max_.web.get(url)).status_code == 200
    assert (await max_.seen())[-1]["type"] == seen_as


async def test_a_place_has_its_numbers_at_the_top(max_: MaxWorld) -> None:
    [place] = (await body(max_, type="location", content={"latitude": 1.5, "longitude": 2.5}))["attachments"]
    assert place == {"type": "location", "latitude": 1.5, "longitude": 2.5}


async def test_an_album_is_one_message_with_several_pictures(max_: MaxWorld) -> None:
    got = await body(max_, type="album", text="смотрите", content={"count": 4})
    assert (got["text"], [a["type"] for a in got["attachments"]]) == ("смотрите", ["image"] * 4)


async def test_own_files_are_delivered_as_given(max_: MaxWorld) -> None:
    given = {"base64": base64.b64encode(b"hello").decode(), "type": "text/plain", "name": "а.txt"}
    [attachment] = (await body(max_, type="file", content=given))["attachments"]

    opened = await max_.web.get(attachment["payload"]["url"])
    assert (attachment["filename"], attachment["size"], opened.content) == ("а.txt", 5, b"hello")
    photo = base64.b64encode(made_up_picture(40, 30).content).decode()
    await max_.write(image={"base64": photo})
    assert (await max_.web.get((await max_.seen())[-1]["image_url"])).content == base64.b64decode(photo)


async def test_a_recording_may_carry_its_transcription(max_: MaxWorld) -> None:
    [audio] = (await body(max_, type="audio", content={"transcription": "сколько стоит"}))["attachments"]
    assert audio["transcription"] == "сколько стоит"
    assert (await max_.seen())[-1]["voice_url"].startswith("http://sandbox.test/media/")


async def test_a_card_of_somebody_else_has_no_max_info(max_: MaxWorld) -> None:
    given = {"name": "Пётр", "phone": "79991112233"}
    [card] = (await body(max_, type="contact", content=given))["attachments"]
    assert set(card["payload"]) == {"vcf_info"}
    assert "TEL;TYPE=cell:79991112233" in card["payload"]["vcf_info"]


async def test_a_persons_own_card_is_signed_with_the_bots_token(max_: MaxWorld) -> None:
    """The contract names the field `hash` only; this is how programs of others check it."""
    [card] = (await body(max_, type="contact"))["attachments"]

    expected = hmac.new(TOKEN.encode(), card["payload"]["vcf_info"].encode(), "sha256").hexdigest()
    assert card["payload"]["hash"] == expected


async def test_a_shared_page_may_have_url_and_token(max_: MaxWorld) -> None:
    [share] = (await body(max_, type="share", content={"url": "https://a.test", "token": "t"}))["attachments"]
    assert share["payload"] == {"url": "https://a.test", "token": "t"}


async def test_attachments_nobody_knows_and_marked_words_can_be_written(max_: MaxWorld) -> None:
    unknown = {"type": "hologram", "payload": {"x": 1}}
    assert (await body(max_, type="attachment", content=unknown))["attachments"] == [unknown]
    mark = {"type": "strong", "from": 0, "length": 3}
    assert (await body(max_, type="text", content={"text": "раз", "markup": [mark]}))["markup"] == [mark]


async def test_a_reply_answers_the_bots_last_message_or_the_quoted_one(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    mids = [await max_.mid(chat, text) for text in ("раз", "два")]

    await max_.write(type="reply", text="к последнему")
    last = max_.last["message"]["link"]
    await max_.write(text="к первому", quote=mids[0])
    first = max_.last["message"]["link"]

    assert [(link["type"], link["message"]["mid"]) for link in (first, last)] == [
        ("reply", mids[0]),
        ("reply", mids[1]),
    ]
    assert last["sender"]["user_id"] == BOT


async def test_a_message_from_elsewhere_is_passed_on_with_or_without_a_body(max_: MaxWorld) -> None:
    await max_.write(type="forward")
    assert "text" not in max_.last["message"]["body"]
    assert max_.last["message"]["link"]["type"] == "forward"
    assert max_.last["message"]["link"]["message"]["text"]

    await max_.fault(null_body=True)
    await max_.write(type="forward")
    assert "body" not in max_.last["message"]


async def test_native_voice_can_arrive_without_its_message_and_is_not_in_the_history(max_: MaxWorld) -> None:
    await max_.fault(voice_without_message=True)
    chat = (await max_.write(voice=True))["chat_id"]

    assert set(max_.last) == {"update_type", "timestamp", "user_locale"}
    assert max_.last["update_type"] == "message_created"
    history = (await max_.api("GET", "/messages", params={"chat_id": chat})).json()
    assert history == {"messages": []}
    assert [m["type"] for m in await max_.seen()] == ["audio"]


async def test_start_carries_the_payload_of_the_link(max_: MaxWorld) -> None:
    written = await max_.act("bot_started", payload="avito42")

    assert {key: value for key, value in max_.last.items() if key not in {"user", "timestamp"}} == {
        "update_type": "bot_started",
        "chat_id": int(written["chat_id"]),
        "user_id": int(written["customer_id"]),
        "user_locale": "ru",
        "payload": "avito42",
    }
    await max_.act("start")
    assert "payload" not in max_.last


async def test_stopping_and_removing_are_told_side_by_side(max_: MaxWorld) -> None:
    await max_.dialog()
    await max_.act("dialog_removed")
    assert [u["update_type"] for u in max_.updates][1:] == ["bot_stopped", "dialog_removed"]


async def test_a_customer_who_stopped_the_bot_cannot_write(max_: MaxWorld) -> None:
    await max_.act("stop")
    letter = {"text": "ау"}
    assert (await max_.control("POST", "/customers/Анна/messages", json=letter)).status_code == 409
    [anna, *_] = (await max_.control("GET", "/customers")).json()["customers"]
    assert (anna["customer"], anna["blocked"]) == ("Анна", True)


@pytest.mark.parametrize("kind", ["dialog_cleared", "dialog_unmuted", "dialog_muted"])
async def test_dialogs_are_cleared_and_muted(max_: MaxWorld, kind: str) -> None:
    await max_.act(kind)
    assert (max_.last["update_type"], max_.last["user_locale"]) == (kind, "ru")
    assert ("muted_until" in max_.last) == (kind == "dialog_muted")


async def test_an_edit_is_pushed_with_the_new_words_and_the_old_id(max_: MaxWorld) -> None:
    [mid] = (await max_.write(text="раз"))["message_ids"]
    await max_.act("edit", message=mid, text="два")

    assert max_.last["update_type"] == "message_edited"
    assert (max_.last["message"]["body"]["mid"], max_.last["message"]["body"]["text"]) == (mid, "два")
    assert "user_locale" not in max_.last


async def test_a_deletion_is_pushed_with_ids_only(max_: MaxWorld) -> None:
    written = await max_.write(text="раз")
    for _ in range(2):
        await max_.control("DELETE", f"/messages/{written['message_ids'][0]}")

    assert len(max_.updates) == 2
    assert {key: value for key, value in max_.last.items() if key != "timestamp"} == {
        "update_type": "message_removed",
        "message_id": written["message_ids"][0],
        "chat_id": int(written["chat_id"]),
        "user_id": int(written["customer_id"]),
    }


async def test_a_customer_can_change_only_messages_of_their_own(max_: MaxWorld) -> None:
    mid = await max_.mid(await max_.dialog())
    edit = {"type": "edit", "content": {"message": mid, "text": "два"}}
    assert (await max_.control("POST", "/customers/Анна/messages", json=edit)).status_code == 409
    assert (await max_.control("DELETE", f"/messages/{mid}")).status_code == 409
    assert (await max_.control("DELETE", "/messages/mid.0")).status_code == 404


async def test_any_update_can_be_injected_and_passes_every_filter(max_: MaxWorld) -> None:
    await max_.subscribe(update_types=["bot_started"])
    await max_.act("update", update_type="message_read", chat_id=5)
    assert (max_.last["update_type"], max_.last["chat_id"]) == ("message_read", 5)
    assert "timestamp" in max_.last


async def test_reading_is_seen_on_the_phone_only(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    await max_.sent(chat, "ответ")
    before = len(max_.updates)

    assert (await max_.control("POST", "/customers/Анна/read")).json() == {"read": 1}
    assert (await max_.control("POST", "/customers/Анна/read")).json() == {"read": 0}
    assert [m["read"] for m in await max_.seen()] == [False, True]
    assert len(max_.updates) == before


async def test_nobody_but_the_bot_can_answer_in_a_dialog(max_: MaxWorld) -> None:
    note = {"chat": str(await max_.dialog()), "text": "я человек"}
    answer = await max_.control("POST", "/operator/messages", json=note)
    assert (answer.status_code, "group" in answer.json()["error"]) == (409, True)


@pytest.mark.parametrize(
    ("letter", "status"),
    [
        ({"type": "reaction"}, 422),
        ({"type": "reply"}, 409),
        ({"type": "update"}, 422),
        ({"type": "album", "content": {"count": 99}}, 422),
        ({"type": "image", "content": {"base64": "AAAA"}}, 422),
        ({"type": "file", "content": {"base64": "?"}}, 422),
        ({"type": "sticker", "content": {"cod": "x"}}, 422),
        ({"type": "user_added"}, 409),
        ({"text": "x", "chat": "5"}, 404),
        ({"text": "x", "quote": "mid.0"}, 404),
        ({"type": "edit", "content": {"message": "mid.0", "text": "x"}}, 404),
        ({"type": "comment", "content": {"post": "mid.0"}}, 404),
        ({"type": "bot_added", "content": {"name": "x"}}, 422),
    ],
)
async def test_what_cannot_be_done_is_refused_in_a_sentence(
    max_: MaxWorld, letter: dict[str, Any], status: int
) -> None:
    answer = await max_.control("POST", "/customers/Анна/messages", json=letter)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


async def test_an_unknown_type_is_answered_with_the_known_ones(max_: MaxWorld) -> None:
    answer = await max_.control("POST", "/customers/Анна/messages", json={"type": "reaction"})
    assert "MAX has album, attachment, audio, bot_added" in answer.json()["error"]


async def test_customers_keep_their_ids_and_can_be_named_by_them(max_: MaxWorld) -> None:
    first = await max_.write("Зоя Котова", text="раз")
    await max_.control("POST", "/reset?everything=true")
    again = await max_.write("Зоя Котова", text="раз")
    by_id = await max_.write(first["customer_id"], text="два")

    assert first["customer_id"] == again["customer_id"] == by_id["customer_id"]
    assert first["chat_id"] == again["chat_id"] == by_id["chat_id"]
    seen = await max_.seen("Зоя Котова")
    assert {m["author"] for m in seen} == {"Зоя Котова"}
    assert (await max_.write("58123456", text="три"))["customer_id"] == "58123456"


async def test_max_is_listed_among_the_channels(max_: MaxWorld) -> None:
    listed = (await max_.web.get("/control/channels")).json()["channels"]
    assert {"name": "max", "title": "MAX", "topics": []} in listed
