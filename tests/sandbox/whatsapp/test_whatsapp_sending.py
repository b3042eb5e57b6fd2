import asyncio
import base64
from typing import Any

import pytest

from sandbox.media import made_up_picture
from sandbox.whatsapp.files import sample
from tests.sandbox.whatsapp.shop import ANNA, ANNAS_CHAT, GROUP, PHONE, Shop

LINK = "http://files.test/a%20b.bin"
PICTURE = base64.b64encode(made_up_picture(96, 96).content).decode()
MOV = base64.b64encode(b"\0\0\0\x14ftypqt  \0\0\0\0").decode()


def b64(kind: str) -> str:
    return base64.b64encode(sample(kind)[0].content).decode()


async def test_a_text_is_answered_with_ids_and_seen_by_the_customer(shop: Shop) -> None:
    answer = await shop.send("Диагностика бесплатная.")

    assert answer["status"] == "done"
    assert (answer["timestamp"], answer["time"]) == (1_763_800_000, "2025-11-22T11:26:40+03:00")
    assert answer["message_id"].startswith("3EB0")
    assert len(answer["task_id"]) == 36
    [message] = await shop.seen()
    assert (message["id"], message["text"]) == (answer["message_id"], "Диагностика бесплатная.")
    assert (message["direction"], message["via"], message["chat_id"]) == ("out", "api", ANNAS_CHAT)


@pytest.mark.parametrize("recipient", [ANNA, ANNAS_CHAT, f"{ANNA}@s.whatsapp.net"])
async def test_a_person_has_several_spellings_and_one_chat(shop: Shop, recipient: str) -> None:
    await shop.send(recipient=recipient)

    assert [message["chat_id"] for message in await shop.seen()] == [ANNAS_CHAT]


async def test_a_group_keeps_its_suffix(shop: Shop) -> None:
    await shop.write(text="всем привет", chat=GROUP)
    await shop.send("и вам", recipient=GROUP)

    assert [message["text"] for message in await shop.seen()] == ["всем привет", "и вам"]
    assert (await shop.rows(GROUP))[0]["chatId"] == GROUP


async def test_a_number_that_never_wrote_can_be_written_to(shop: Shop) -> None:
    await shop.send(recipient="79111234567")

    [message] = await shop.seen("79111234567")
    assert message["chat_id"] == "79111234567@c.us"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"recipient": ANNA},
        {"recipient": ANNA, "body": ""},
        {"recipient": ANNA, "body": 5},
        {"recipient": 79000000002, "body": "ау"},
        {"recipient": "+7 900 000-00-02", "body": "ау"},
        {"recipient": "1@lid", "body": "ау"},
        {"recipient": "120363999999999999@g.us", "body": "ау"},
        {"recipient": ANNA, "body": "я" * 65_537},
        {"recipient": ANNA, "body": "ау", "quoted_message_id": "none"},
        [],
        "text",
    ],
)
async def test_a_text_that_makes_no_sense_is_400_with_a_detail(shop: Shop, body: object) -> None:
    answer = await shop.post("sync/message/send", body)

    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert answer.json()["detail"]
    assert await shop.seen() == []


async def test_a_body_that_is_no_json_is_400(shop: Shop) -> None:
    answer = await shop.api("POST", "sync/message/send", content=b"{")

    assert (answer.status_code, answer.json()["status"]) == (400, "error")


async def test_a_hidden_id_can_be_allowed_as_recipient(shop: Shop) -> None:
    await shop.subscribe()
    await shop.write(text="ау")
    lid = shop.outside.items[0]["whatsapp_chat_id"]
    await shop.fault(lid_recipients=True)

    await shop.send("нашли", recipient=lid)

    assert lid.endswith("@lid")
    assert [message["text"] for message in await shop.seen()] == ["ау", "нашли"]
    unknown = await shop.post("sync/message/send", {"recipient": "1@lid", "body": "ау"})
    assert unknown.status_code == 400


async def test_quoting_works_by_reply_and_by_the_undocumented_key(shop: Shop) -> None:
    asked = (await shop.write(text="вопрос"))["message_ids"][0]

    await shop.post("sync/message/reply", {"message_id": asked, "body": "ответ"})
    await shop.send("ещё", quoted_message_id=asked)
    await shop.fault(quotes_in_send=False)
    await shop.send("без цитаты", quoted_message_id=asked)

    rows = await shop.rows(order="asc")
    assert [(row["isReply"], row["stanzaId"]) for row in rows[1:]] == [
        (True, asked),
        (True, asked),
        (False, ""),
    ]


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (made_up_picture(96, 96).content, "image/png", "image"),
        (sample("video")[0].content, "video/mp4", "video"),
        (sample("document")[0].content, "application/pdf", "document"),
        (b"hello", "text/plain", "document"),
    ],
)
async def test_a_link_becomes_what_the_file_is(shop: Shop, content: bytes, kind: str, expected: str) -> None:
    shop.outside.files[LINK] = (content, kind)

    answer = await shop.post("sync/message/file/url/send", {"recipient": ANNA, "url": LINK, "caption": "вот"})

    assert answer.json()["status"] == "done"
    [message] = await shop.seen()
    assert (message["type"], message["text"]) == (expected, "вот")
    assert message["content"]["file_name"] == "a b.bin"
    assert (await shop.web.get(message["file_url"])).content == content


@pytest.mark.parametrize("url", ["http://files.test/none", "ftp://files.test/a", "p.jpg", "", "http://["])
async def test_a_link_that_leads_nowhere_is_400(shop: Shop, url: str) -> None:
    answer = await shop.post("sync/message/file/url/send", {"recipient": ANNA, "url": url})

    assert (answer.status_code, answer.json()["status"]) == (400, "error")


async def test_a_reply_may_carry_a_file(shop: Shop) -> None:
    asked = (await shop.write(text="вопрос"))["message_ids"][0]
    shop.outside.files[LINK] = (made_up_picture(96, 96).content, "image/png")

    await shop.post("sync/message/reply", {"message_id": asked, "body": "вот", "url": LINK})

    row = (await shop.rows())[0]
    assert (row["type"], row["caption"], row["isReply"], row["stanzaId"]) == ("image", "вот", True, asked)


@pytest.mark.parametrize(
    ("path", "body", "kind", "text"),
    [
        ("message/img/send", {"b64_file": PICTURE, "caption": "экран"}, "image", "экран"),
        ("message/document/send", {"b64_file": PICTURE, "file_name": "p.png"}, "document", ""),
        ("message/audio/send", {"b64_file": b64("ptt")}, "ptt", ""),
        ("message/video/send", {"b64_file": b64("video"), "caption": "кино"}, "video", "кино"),
        (
            "message/location/send",
            {"latitude": 55.7, "longitude": 37, "address": "Лесная 7"},
            "location",
            "Лесная 7",
        ),
        ("poll/create", {"body": "Да?", "poll_options": ["а", "б"], "poll_select_count": 1}, "poll", "Да?"),
    ],
)
async def test_every_kind_can_be_sent_at_once_and_through_the_queue(
    shop: Shop, path: str, body: dict[str, Any], kind: str, text: str
) -> None:
    now = await shop.post(f"sync/{path}", {"recipient": ANNA, **body})
    later = await shop.post(f"async/{path}", {"recipient": ANNA, **body})
    await shop.time.pass_(3)

    assert "message_id" in now.json()
    assert "message_id" not in later.json()
    assert [(m["type"], m["text"]) for m in await shop.seen()] == [(kind, text)] * 2


async def test_a_contact_is_a_vcard(shop: Shop) -> None:
    await shop.post("sync/contact/send", {"recipient": ANNA, "phone": "79000000003", "name": "Пётр"})

    [row] = await shop.rows()
    assert row["type"] == "vcard"
    assert "FN:Пётр\nTEL;type=CELL;waid=79000000003:+79000000003" in row["body"]
    assert (await shop.seen())[0]["text"] == "Пётр +79000000003"


async def test_audio_can_show_as_a_file(shop: Shop) -> None:
    await shop.fault(audio_shows_as="audio")
    await shop.post("sync/message/audio/send", {"recipient": ANNA, "b64_file": b64("audio")})

    assert [message["type"] for message in await shop.seen()] == ["audio"]


async def test_the_deprecated_form_takes_bare_base64(shop: Shop) -> None:
    answer = await shop.api(
        "POST", "sync/message/file/send", params={"recipient": ANNA}, content=PICTURE.encode()
    )

    assert answer.json()["status"] == "done"
    assert [message["type"] for message in await shop.seen()] == ["image"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("message/img/send", {"b64_file": f"data:image/png;base64,{PICTURE}"}),
        ("message/img/send", {"url": "http://files.test/p.png"}),
        ("message/img/send", {"b64_file": b64("document")}),
        ("message/img/send", {"b64_file": PICTURE, "caption": "я" * 1025}),
        ("message/document/send", {"b64_file": PICTURE}),
        ("message/video/send", {"b64_file": PICTURE}),
        ("message/video/send", {"b64_file": MOV}),
        ("message/location/send", {"lat": 1, "lon": 2}),
        ("message/location/send", {"latitude": "1", "longitude": 2}),
        ("contact/send", {"phone": "нет", "name": "Пётр"}),
        ("poll/create", {"body": "Да?", "poll_options": ["одна"]}),
        ("poll/create", {"body": "Да?", "poll_options": ["а", "б"], "poll_select_count": 3}),
        ("poll/create", {"body": "Да?", "poll_options": [1, 2]}),
        ("message/buttons/send", {}),
        ("message/list/send", {}),
        ("message/forward", {"message_id": "none"}),
        ("message/reply", {"message_id": "none", "body": "ау"}),
    ],
)
async def test_a_wrong_send_is_400_and_sends_nothing(shop: Shop, path: str, body: dict[str, Any]) -> None:
    answer = await shop.post(f"sync/{path}", {"recipient": ANNA, **body})

    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert await shop.seen() == []


async def test_a_bad_video_is_refused_without_a_word(shop: Shop) -> None:
    answer = await shop.post("sync/message/video/send", {"recipient": ANNA, "b64_file": PICTURE})

    assert answer.json() == {"status": "error"}


async def test_a_mov_can_be_taken_and_never_arrive(shop: Shop) -> None:
    await shop.fault(mov="undelivered")
    answer = await shop.post("sync/message/video/send", {"recipient": ANNA, "b64_file": MOV})
    await shop.time.pass_(60)

    assert answer.json()["status"] == "done"
    assert await shop.seen() == []


async def test_a_mov_can_hang(shop: Shop) -> None:
    await shop.fault(mov="hang")
    call = asyncio.ensure_future(shop.post("sync/message/video/send", {"recipient": ANNA, "b64_file": MOV}))
    await shop.time.pass_(300)

    assert (await call).status_code == 504
    assert await shop.seen() == []


async def test_an_answer_can_be_lost_after_the_message_is_stored(shop: Shop) -> None:
    await shop.fault(drop_after_storing=1)

    lost = await shop.post("sync/message/send", {"recipient": ANNA, "body": "первый"})
    await shop.send("второй")

    assert (lost.status_code, lost.headers["content-type"][:9]) == (502, "text/html")
    assert [message["text"] for message in await shop.seen()] == ["первый", "второй"]


async def test_a_forwarded_message_has_a_new_id(shop: Shop) -> None:
    old = (await shop.write(type="image", content={"caption": "экран"}))["message_ids"][0]

    answer = await shop.post("sync/message/forward", {"message_id": old, "recipient": "79000000003"})

    [row] = await shop.rows("79000000003")
    assert (row["id"], row["isForwarded"], row["caption"]) == (answer.json()["message_id"], True, "экран")
    assert row["id"] != old


async def test_a_reaction_is_answered_without_a_task(shop: Shop) -> None:
    asked = (await shop.write(text="спасибо"))["message_ids"][0]

    answer = (await shop.post("sync/message/reaction", {"message_id": asked, "body": "👍"})).json()

    assert (answer["status"], answer["uuid"], "task_id" in answer) == ("done", "a1b2c3d4-e5f6", False)
    assert [(m["type"], m["text"]) for m in await shop.seen()] == [("chat", "спасибо"), ("reaction", "👍")]
    await shop.post("sync/message/reaction", {"message_id": asked, "body": ""})
    assert len(await shop.seen()) == 2


async def test_an_own_text_can_be_edited_for_15_minutes(shop: Shop) -> None:
    sent = (await shop.send("ошибка"))["message_id"]
    await shop.time.pass_(900)
    edited = (await shop.post("sync/message/edit", {"message_id": sent, "body": "верно"})).json()

    assert edited["message_id"] != sent
    assert [(message["id"], message["text"]) for message in await shop.seen()] == [(sent, "верно")]
    row = (await shop.rows())[0]
    assert (row["isEdited"], row["stanzaId"], row["body"]) == (True, sent, "верно")

    await shop.time.pass_(1)
    late = await shop.post("sync/message/edit", {"message_id": sent, "body": "поздно"})
    assert (late.status_code, late.json()["detail"]) == (400, "editMessage error")


async def test_an_edit_can_keep_the_id(shop: Shop) -> None:
    await shop.fault(edit_id="same")
    sent = (await shop.send("ошибка"))["message_id"]
    edited = (await shop.post("sync/message/edit", {"message_id": sent, "body": "верно"})).json()

    assert edited["message_id"] == sent
    assert [message["text"] for message in await shop.seen()] == ["верно"]
    assert len(await shop.rows()) == 1


@pytest.mark.parametrize("call", ["edit", "delete"])
async def test_only_own_messages_can_be_changed(shop: Shop, call: str) -> None:
    theirs = (await shop.write(text="моё"))["message_ids"][0]

    answer = await shop.post(f"sync/message/{call}", {"message_id": theirs, "body": "нет"})

    assert answer.status_code == 400
    assert [message["text"] for message in await shop.seen()] == ["моё"]


async def test_a_deletion_is_answered_without_ids_and_works_once(shop: Shop) -> None:
    sent = (await shop.send("ошибка"))["message_id"]

    first = await shop.post("sync/message/delete", {"message_id": sent})
    second = await shop.post("sync/message/delete", {"message_id": sent})

    assert set(first.json()) == {"status", "timestamp", "time"}
    assert (second.status_code, second.json()["detail"]) == (400, "deleteMessage error")
    assert [message["type"] for message in await shop.seen()] == ["deleted"]
    assert (await shop.rows())[0]["isDeleted"] is True


async def test_reading_marks_one_message_or_the_whole_chat(shop: Shop) -> None:
    for text in ("раз", "два", "три"):
        last = (await shop.write(text=text))["message_ids"][0]

    await shop.post("sync/message/mark/read", {"message_id": last})
    assert [message["read"] for message in await shop.seen()] == [False, False, True]

    await shop.post("sync/message/mark/read", {"message_id": last}, params={"mark_all": "true"})
    assert [message["read"] for message in await shop.seen()] == [True, True, True]


async def test_a_late_answer_comes_after_the_echo(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(late_answer=5)
    call = asyncio.ensure_future(shop.post("sync/message/send", {"recipient": ANNA, "body": "ау"}))
    await shop.time.pass_(4)

    assert not call.done()
    assert shop.outside.told("outgoing_message_api")[0]["from"] == f"{PHONE}@c.us"
    await shop.time.pass_(1)
    assert (await call).status_code == 200
