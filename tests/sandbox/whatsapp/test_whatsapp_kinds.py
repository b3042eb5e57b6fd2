import base64
from typing import Any

import pytest

from sandbox.media import made_up_picture
from sandbox.whatsapp.files import sample
from tests.sandbox.whatsapp.shop import ANNA, GROUP, Shop

PICTURE = base64.b64encode(made_up_picture(96, 96).content).decode()


@pytest.fixture(autouse=True)
async def _subscribed(shop: Shop) -> None:
    await shop.subscribe()


@pytest.mark.parametrize(
    ("kind", "vendors", "mime"),
    [
        ("photo", "image", "image/jpeg"),
        ("image", "image", "image/jpeg"),
        ("video", "video", "video/mp4"),
        ("document", "document", "application/pdf"),
        ("voice", "ptt", "audio/ogg; codecs=opus"),
        ("audio", "audio", "audio/mpeg"),
        ("sticker", "sticker", "image/webp"),
    ],
)
async def test_every_kind_of_file_comes_as_base64_and_as_a_link(
    shop: Shop, kind: str, vendors: str, mime: str
) -> None:
    await shop.write(type=kind)

    [item] = shop.outside.items
    assert (item["type"], item["mimetype"]) == (vendors, mime)
    content = base64.b64decode(item["body"])
    served = await shop.web.get(item["file_link"])
    assert (served.content, served.headers["content-type"]) == (content, mime)
    assert content == sample(vendors)[0].content
    assert item["file_link_expire"] == item["time"] + 172_800
    assert item["media_info"]["size"] == 0


async def test_a_voice_note_tells_its_length(shop: Shop) -> None:
    await shop.write(voice=True)

    [item] = shop.outside.items
    assert (item["type"], item["length_seconds"], item["media_info"]["duration"]) == ("ptt", 4, 4)
    assert (await shop.seen())[0]["voice_url"]


@pytest.mark.parametrize(
    ("how", "bodied", "linked"),
    [("base64", True, False), ("link", False, True), ("thumbnail", True, False), ("none", False, False)],
)
async def test_where_the_file_is_can_be_chosen(shop: Shop, how: str, bodied: bool, linked: bool) -> None:
    await shop.fault(media_as=how)
    message = (await shop.write(image=True))["message_ids"][0]

    [item] = shop.outside.items
    assert (bool(item["body"]), bool(item["file_link"])) == (bodied, linked)
    assert how != "thumbnail" or len(item["body"]) < 1000
    download = (await shop.get("sync/message/media/download", message_id=message)).json()
    assert base64.b64decode(download["file_b64"]) == sample("image")[0].content


async def test_a_text_beside_a_picture_is_its_caption(shop: Shop) -> None:
    await shop.write(text="Вот экран", image={"base64": PICTURE})

    [item] = shop.outside.items
    assert (item["type"], item["caption"], item["mimetype"]) == ("image", "Вот экран", "image/png")
    assert item["body"] == PICTURE
    [message] = await shop.seen()
    assert message["text"] == "Вот экран"
    assert (await shop.web.get(message["image_url"])).content == base64.b64decode(PICTURE)


async def test_a_text_beside_a_voice_note_is_a_message_of_its_own(shop: Shop) -> None:
    await shop.write(text="слушайте", voice={"base64": "AAAA", "type": "audio/mpeg"})

    assert [(item["type"], item["mimetype"]) for item in shop.outside.items] == [
        ("chat", ""),
        ("ptt", "audio/mpeg"),
    ]


async def test_a_photo_can_be_sent_as_a_file(shop: Shop) -> None:
    content = {"body": PICTURE, "mimetype": "image/png", "file_name": "p.png"}
    await shop.write(type="document", content=content)

    [item] = shop.outside.items
    assert (item["type"], item["mimetype"], item["file_name"]) == ("document", "image/png", "p.png")
    assert item["body"] == PICTURE


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("location", {"location": {"latitude": 55.75, "longitude": 37.61, "description": "Лесная 7"}}),
        ("contact", {"contact": {"display_name": "Пётр", "phone": "+79000000003"}}),
        ("poll", {"body": "Придёте завтра?", "poll_options": ["да", "нет"]}),
        ("buttons", {"body": "Выберите: 1. Да 2. Нет"}),
        ("list", {"body": "Услуги: id1 Экран, id2 Батарея"}),
        ("button", {"body": "Да", "button_response": True, "selectedButtonId": "1"}),
        ("list_response", {"body": "id2", "list_response": True, "selected_list_id": "id2"}),
    ],
)
async def test_every_other_kind_has_the_keys_of_the_contract(
    shop: Shop, kind: str, expected: dict[str, Any]
) -> None:
    await shop.write(type=kind)

    [item] = shop.outside.items
    assert {key: item[key] for key in expected} == expected
    assert await shop.rows()


@pytest.mark.parametrize("kind", ["location", "poll_vote"])
async def test_some_kinds_have_no_body_at_all(shop: Shop, kind: str) -> None:
    await shop.write(type="poll", content={"by": "operator"})
    await shop.write(type=kind)

    item = shop.outside.told("incoming_message")[0]
    assert "body" not in item


async def test_a_vote_points_at_the_poll(shop: Shop) -> None:
    body = {"recipient": ANNA, "body": "Да?", "poll_options": ["да", "нет"]}
    poll = (await shop.post("sync/poll/create", body)).json()["message_id"]
    await shop.write(type="poll_vote")

    item = shop.outside.told("incoming_message")[0]
    assert (item["type"], item["stanza_id"], item["selected_poll_variant"]) == ("poll_vote", poll, ["да"])


async def test_contents_of_the_contract_can_be_given(shop: Shop) -> None:
    place = {"latitude": 1.5, "longitude": 2.5, "description": "тут"}
    await shop.write(type="location", content={"location": place})
    await shop.write(text="ау", type="text", content={"is_forwarded": True, "senderName": "anna"})

    first, second = shop.outside.items
    assert first["location"] == place
    assert (second["body"], second["is_forwarded"], second["senderName"]) == ("ау", True, "anna")


async def test_a_type_that_nobody_knows_comes_too(shop: Shop) -> None:
    await shop.write(type="unsupported", content={"type": "newsletter", "body": "?", "odd": {"key": 1}})

    [item] = shop.outside.items
    assert (item["type"], item["body"], item["odd"]) == ("newsletter", "?", {"key": 1})


async def test_a_reply_carries_the_quoted_message(shop: Shop) -> None:
    sent = (await shop.send("Диагностика бесплатная."))["message_id"]
    await shop.write(text="а выезд?", quote=sent)

    item = shop.outside.told("incoming_message")[0]
    assert (item["isReply"], item["stanza_id"]) == (True, sent)
    assert item["reply_message"] == {
        "id": sent,
        "body": "Диагностика бесплатная.",
        "type": "chat",
        "chatId": "",
        "timestamp": "2025-11-22T11:26:40+03:00",
        "time": 0,
        "caption": "",
        "file_name": "",
        "contact_name": "",
    }


async def test_a_quoted_picture_is_a_link_and_a_quote_may_repeat_the_reply(shop: Shop) -> None:
    picture = (await shop.write(image=True))["message_ids"][0]
    await shop.write(text="вот этот", quote=picture)
    await shop.fault(reply_repeats_own_text=True)
    await shop.write(text="да, этот", quote=picture)

    _, linked, repeated = shop.outside.items
    assert (await shop.web.get(linked["reply_message"]["body"])).status_code == 200
    assert repeated["reply_message"]["body"] == "да, этот"


async def test_a_reaction_points_at_the_latest_message_unless_it_names_one(shop: Shop) -> None:
    first, second = [(await shop.send(text))["message_id"] for text in ("раз", "два")]
    await shop.write(type="reaction")
    await shop.write(type="reaction", text="❤", quote=first)

    reactions = shop.outside.told("incoming_message")
    assert [(item["type"], item["body"], item["stanza_id"], item["isReply"]) for item in reactions] == [
        ("reaction", "👍", second, False),
        ("reaction", "❤", first, False),
    ]
    chat = (await shop.post("sync/chats/get")).json()["dialogs"][0]
    assert chat["last_message_type"] == "reaction"


async def test_taking_a_reaction_back_tells_nothing(shop: Shop) -> None:
    await shop.send()
    await shop.write(type="reaction", content={"body": ""})

    assert shop.outside.told("incoming_message") == []


async def test_an_edit_is_a_new_message_that_points_at_the_old_one(shop: Shop) -> None:
    old = (await shop.write(text="ошипка"))["message_ids"][0]
    new = (await shop.write(type="edit", text="ошибка"))["message_ids"][0]

    item = shop.outside.items[1]
    assert (item["id"], item["stanza_id"], item["is_edited"], item["body"]) == (new, old, True, "ошибка")
    assert (item["type"], item["isReply"]) == ("chat", False)
    assert [(m["id"], m["text"]) for m in await shop.seen()] == [(old, "ошибка")]


async def test_an_edit_can_carry_the_old_id(shop: Shop) -> None:
    await shop.fault(edit_id="same")
    old = (await shop.write(text="ошипка"))["message_ids"][0]
    await shop.write(type="edit", text="ошибка")

    item = shop.outside.items[1]
    assert (item["id"], item["stanza_id"], item["is_edited"], item["body"]) == (old, old, True, "ошибка")
    assert [row["body"] for row in await shop.rows()] == ["ошибка"]


async def test_a_deletion_by_the_customer_tells_nothing_unless_a_switch_says_so(shop: Shop) -> None:
    first, second = [(await shop.write(text=text))["message_ids"][0] for text in ("раз", "два")]
    await shop.control("DELETE", f"/messages/{first}")
    assert len(shop.outside.items) == 2

    await shop.fault(deletion_webhook=True)
    await shop.control("DELETE", f"/messages/{second}")
    item = shop.outside.items[2]
    assert (item["id"], item["is_deleted"], item["body"]) == (second, True, "")
    assert [row["isDeleted"] for row in await shop.rows()] == [True, True]
    assert [message["type"] for message in await shop.seen()] == ["deleted", "deleted"]


@pytest.mark.parametrize(
    ("letter", "status"),
    [
        ({"type": "hologram"}, 422),
        ({"type": "text", "content": {"by": "nobody"}}, 422),
        ({"type": "album", "content": {"count": 0}}, 422),
        ({"type": "album", "content": {"count": "много"}}, 422),
        ({"type": "document", "content": {"body": "%%"}}, 422),
        ({"type": "document", "content": {"mimetype": "a\nb"}}, 422),
        ({"type": "reaction", "content": {"stanza_id": ["x"]}}, 404),
        ({"type": "reaction"}, 409),
        ({"type": "edit", "text": "а"}, 409),
        ({"text": "а", "quote": "none"}, 404),
        ({"text": "а", "chat": "none"}, 404),
        ({"text": "а", "chat": "79000000003@c.us"}, 404),
        ({"text": "а", "ad": 1}, 404),
    ],
)
async def test_a_letter_that_makes_no_sense_is_refused(
    shop: Shop, letter: dict[str, Any], status: int
) -> None:
    answer = await shop.control("POST", "/customers/Анна/messages", json=letter)

    assert (answer.status_code, isinstance(answer.json()["error"], str)) == (status, True)
    assert shop.outside.requests == []


async def test_only_ones_own_texts_can_be_edited_and_deleted(shop: Shop) -> None:
    own = (await shop.send())["message_id"]

    letter = {"type": "edit", "text": "нет", "quote": own}
    assert (await shop.control("POST", "/customers/Анна/messages", json=letter)).status_code == 409
    assert (await shop.control("DELETE", f"/messages/{own}")).status_code == 409
    assert (await shop.control("DELETE", "/messages/none")).status_code == 404


async def test_groups_are_among_the_chats_of_those_who_wrote_there(shop: Shop) -> None:
    await shop.write(text="лично")
    await shop.write(text="всем", chat=GROUP)

    anna, boris, *_ = (await shop.control("GET", "/customers")).json()["customers"]
    assert [(chat["type"], chat["title"]) for chat in anna["chats"]] == [
        ("dialog", "Мастерская «Эльдорадо»"),
        ("group", "Соседи по дому"),
    ]
    assert boris["chats"] == []
    assert [message["text"] for message in await shop.seen()] == ["лично", "всем"]


async def test_odd_contents_break_nothing(shop: Shop) -> None:
    odd = {"caption": 5, "file_name": "../..", "length_seconds": None, "is_forwarded": []}
    await shop.write(type="document", content=odd)

    [row] = await shop.rows()
    assert (await shop.web.get(row["s3Info"]["url"])).status_code == 200
    assert (await shop.post("sync/messages/search", {"body": "5"})).json()["results"]
    assert (await shop.seen())[0]["text"] == "5"
