import asyncio
import base64
from typing import Any

import pytest

from sandbox.whatsapp.files import sample
from tests.sandbox.whatsapp.shop import ANNA, ANNAS_CHAT, GROUP, PHONE, Shop

DAY = 86_400


async def dialogs(shop: Shop, **query: object) -> list[dict[str, object]]:
    return list((await shop.post("sync/chats/get", params=query)).json()["dialogs"])


async def test_chats_are_listed_with_the_latest_first(shop: Shop) -> None:
    await shop.write(text="раз")
    await shop.write("Борис", text="два")
    asked = (await shop.write(text="Сколько стоит диагностика?"))["message_ids"][0]

    answer = (await shop.post("sync/chats/get", params={"limit": 1})).json()

    assert (answer["status"], answer["detail"], answer["total_count"]) == ("done", "Chats fetched", 2)
    [chat] = answer["dialogs"]
    assert (chat["id"], chat["name"], chat["isGroup"], chat["unread_count"]) == (ANNAS_CHAT, "Анна", False, 2)
    assert chat["contact"] == {
        "Found": True,
        "FirstName": "Анна",
        "FullName": "Анна",
        "PushName": "Анна",
        "BusinessName": "",
    }
    assert chat["last_message_id"] == asked
    assert (chat["last_timestamp"], chat["last_time"]) == ("2025-11-22T08:26:40Z", 1_763_800_000)
    assert chat["last_message_data"] == "Сколько стоит диагностика?"
    assert chat["last_message_sender"] == {
        "id": ANNAS_CHAT,
        "number": ANNA,
        "pushname": "Анна",
        "isMe": False,
    }


async def test_pages_of_chats_do_not_overlap(shop: Shop) -> None:
    for name in ("Анна", "Борис", "Марина"):
        await shop.write(name, text="ау")

    pages = [await dialogs(shop, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [[chat["name"] for chat in page] for page in pages] == [["Марина", "Борис"], ["Анна"], []]


async def test_ids_of_chat_lists_may_have_the_newer_suffix(shop: Shop) -> None:
    await shop.write(text="ау")
    await shop.write(text="всем", chat=GROUP)
    await shop.fault(address_suffix="s.whatsapp.net")

    assert [chat["id"] for chat in await dialogs(shop)] == [GROUP, f"{ANNA}@s.whatsapp.net"]


@pytest.mark.parametrize(
    ("ids", "found"),
    [([ANNA], ["Анна"]), (["^7900000000[24]"], ["Марина", "Анна"]), ([], []), (["9{9}"], [])],
)
async def test_chats_are_filtered_by_ids_which_may_be_patterns(
    shop: Shop, ids: list[str], found: list[str]
) -> None:
    for name in ("Анна", "Борис", "Марина"):
        await shop.write(name, text="ау")

    answer = (await shop.post("sync/chats/get", {"filter": {"ids": ids}})).json()
    assert [chat["name"] for chat in answer["dialogs"]] == found


@pytest.mark.parametrize("body", [{"filter": 5}, {"filter": {"ids": "7"}}, {"filter": {"ids": ["("]}}, []])
async def test_a_filter_that_makes_no_sense_is_400(shop: Shop, body: object) -> None:
    assert (await shop.post("sync/chats/get", body)).status_code == 400


async def test_an_unknown_number_stands_between_direction_marks(shop: Shop) -> None:
    await shop.write("79111234567", text="ау")

    [chat] = await dialogs(shop)
    assert chat["name"] == "\u202a+79111234567\u202c"
    assert chat["contact"] == {
        "Found": False,
        "FirstName": "",
        "FullName": "",
        "PushName": "",
        "BusinessName": "",
    }


@pytest.mark.parametrize(
    ("name", "found"), [("бор", 1), ("0003", 1), ("ЭКРАН", 1), ("нет такого", 0), ("", 2)]
)
async def test_chats_are_searched_by_number_name_or_last_message(shop: Shop, name: str, found: int) -> None:
    await shop.write(text="разбит экран")
    await shop.write("Борис", text="ау")

    answer = (await shop.get("sync/chats/filter", client_name=name)).json()
    assert (len(answer["dialogs"]), answer["total_count"]) == (found, found)


async def test_chats_are_listed_by_days(shop: Shop) -> None:
    await shop.write(text="давно")
    await shop.time.pass_(3 * DAY)
    await shop.write("Борис", text="сейчас")
    await shop.post("sync/chat/archive", {"recipient": "79000000003"})
    await shop.write("Марина", text="тоже")

    async def names(**query: object) -> list[str]:
        answer = (await shop.get("sync/chats/days/get", **query)).json()
        return [chat["name"] for chat in answer["dialogs"]]

    assert await names() == ["Марина", "Анна"]
    assert await names(order="asc") == ["Анна", "Марина"]
    assert await names(limit=3, is_archived="true") == ["Марина", "Борис"]
    assert await names(offset=3) == ["Анна"]


async def test_archiving_deleting_and_what_stays_of_it(shop: Shop) -> None:
    await shop.write(text="ау")
    await shop.post("sync/chat/archive", {"recipient": ANNA})
    assert (await dialogs(shop))[0]["isArchived"] is True
    await shop.post("sync/chat/unarchive", {"recipient": ANNA})
    await shop.post("sync/chat/delete", {"recipient": ANNA})
    again = await shop.post("sync/chat/delete", {"recipient": ANNA})

    assert (again.status_code, again.json()["detail"]) == (400, "deleteChat error")
    assert await dialogs(shop) == []
    assert len(await dialogs(shop, show_all="true")) == 1
    await shop.write(text="снова я")
    [chat] = await dialogs(shop)
    assert (chat["isDeleted"], chat["isArchived"]) == (True, False)
    missing = await shop.post("sync/chat/archive", {"recipient": "79000000009"})
    assert (missing.status_code, missing.json()["detail"]) == (400, "archiveChat error")


async def test_typing_shows_for_20_seconds(shop: Shop) -> None:
    async def typing() -> bool:
        person = (await shop.control("GET", "/customers")).json()["customers"][0]
        return bool(person["chats"][0]["typing"])

    await shop.post("sync/chat/typing/start", {"recipient": ANNA})
    await shop.time.pass_(19)
    assert await typing()
    await shop.time.pass_(1)
    assert not await typing()
    await shop.post("sync/chat/typing/start", {"recipient": ANNA})
    await shop.post("sync/chat/typing/stop", {"recipient": ANNA})
    assert not await typing()
    assert (await shop.post("sync/chat/typing/start", {"recipient": "?"})).status_code == 400


async def test_messages_are_rows_with_the_newest_first(shop: Shop) -> None:
    await shop.write(text="вопрос")
    sent = await shop.send("Диагностика бесплатная.")
    await shop.time.pass_(1)

    row, first = await shop.rows()

    assert (row["id"], row["type"], row["body"]) == (sent["message_id"], "chat", "Диагностика бесплатная.")
    assert (row["from"], row["to"], row["chatId"]) == (f"{PHONE}@c.us", ANNAS_CHAT, ANNAS_CHAT)
    assert (row["fromMe"], row["isFromAPI"], row["from_where"]) == (True, True, "api")
    assert (row["delivery_status"], row["isRead"], row["task_id"]) == ("delivered", False, sent["task_id"])
    assert (row["s3Info"], row["stanzaId"], row["caption"], row["time"]) == ({}, "", "", 1_763_800_000)
    assert (first["fromMe"], first["from"], first["senderName"]) == (False, ANNAS_CHAT, "Анна")


async def test_an_operators_message_is_not_from_the_api(shop: Shop) -> None:
    await shop.control("POST", "/operator/messages", json={"chat": ANNA, "text": "от человека"})

    [row] = await shop.rows()
    assert (row["fromMe"], row["isFromAPI"], row["from_where"]) == (True, False, "phone")


async def test_the_body_of_a_file_is_an_object_and_the_link_is_signed(shop: Shop) -> None:
    await shop.write(text="экран", image=True)

    [row] = await shop.rows()

    body = row["body"]
    assert (body["mimetype"], body["width"], body["height"], row["caption"]) == (
        "image/jpeg",
        640,
        480,
        "экран",
    )
    assert body["fileLength"] == len(sample("image")[0].content)
    assert row["s3Info"]["expire"] == 1_763_800_000 + 172_800
    assert (await shop.web.get(row["s3Info"]["url"])).content == sample("image")[0].content
    await shop.time.pass_(172_800)
    assert (await shop.web.get(row["s3Info"]["url"])).status_code == 403


async def test_pages_orders_and_turns_of_messages(shop: Shop) -> None:
    for text in "абвг":
        await shop.write(text=text)

    async def texts(**query: Any) -> str:
        return "".join(row["body"] for row in await shop.rows(**query))

    assert await texts() == "гвба"
    assert await texts(limit=2) == "гв"
    assert await texts(limit=2, offset=2) == "ба"
    assert await texts(limit=2, order="asc") == "аб"
    assert await texts(limit=2, reverse="true") == "вг"
    assert await texts(offset=9) == ""
    answer = (await shop.get("sync/messages/get", chat_id=ANNAS_CHAT, limit=1)).json()
    assert (answer["total_count"], answer["uuid"]) == (4, "a1b2c3d4-e5f6")


async def test_the_default_page_has_50_messages(shop: Shop) -> None:
    for number in range(52):
        await shop.write(text=str(number))

    assert len(await shop.rows()) == 50
    everything = (await shop.get("sync/messages/all/get")).json()
    assert len(everything["messages"]) == 52


async def test_messages_by_date(shop: Shop) -> None:
    await shop.write(text="вчера")
    await shop.time.pass_(DAY)
    await shop.write(text="сегодня")
    date = "2025-11-23T00:00:00"

    assert [row["body"] for row in await shop.rows(date=date)] == ["сегодня"]
    await shop.fault(date_side="until")
    assert [row["body"] for row in await shop.rows(date=date)] == ["вчера"]
    await shop.fault(date_side="since", date_zone=-12)
    assert [row["body"] for row in await shop.rows(date="2025-11-22T21:00:00")] == []


@pytest.mark.parametrize(
    "query", [{"date": "soon"}, {"limit": "x"}, {"offset": -1}, {"order": "up"}, {"reverse": "perhaps"}]
)
async def test_a_wrong_query_is_400(shop: Shop, query: dict[str, object]) -> None:
    await shop.write(text="ау")

    assert (await shop.get("sync/messages/get", chat_id=ANNA, **query)).status_code == 400


async def test_an_empty_chat_has_a_detail_in_place_of_a_list(shop: Shop) -> None:
    async def answer() -> tuple[int, dict[str, object]]:
        got = await shop.get("sync/messages/get", chat_id=ANNA)
        return got.status_code, got.json()

    status, body = await answer()
    assert (status, body["detail"], "messages" in body) == (200, "Messages not found", False)
    await shop.fault(empty_chat="400")
    assert await answer() == (400, {"status": "error", "detail": "Messages not found"})
    await shop.fault(empty_chat="list")
    assert (await answer())[1]["messages"] == []
    assert (await shop.get("sync/messages/get")).status_code == 400


async def test_reading_does_not_mark_as_read_unless_asked_to(shop: Shop) -> None:
    await shop.write(text="ау")
    await shop.write(text="всем", chat=GROUP)
    await shop.rows()
    assert [message["read"] for message in await shop.seen()] == [False, False]

    await shop.rows(mark_all="true")
    await shop.rows(GROUP, mark_all="true")
    assert [message["read"] for message in await shop.seen()] == [True, False]


async def test_one_message_by_its_id(shop: Shop) -> None:
    message = (await shop.write(text="ау"))["message_ids"][0]

    assert (await shop.get("sync/messages/id/get", message_id=message)).json()["message"]["body"] == "ау"
    assert (await shop.get("sync/messages/id/get", message_id="none")).status_code == 400


async def test_a_search_answers_success(shop: Shop) -> None:
    await shop.write(text="разбит экран")
    await shop.write("Борис", image=True, text="Экран")

    answer = (await shop.post("sync/messages/search", {"body": "экран"})).json()
    only = (await shop.post("sync/messages/search", {"body": "экран", "recipient": ANNA})).json()

    assert (answer["status"], answer["messages"]) == ("success", None)
    assert [found["chat"]["name"] for found in answer["results"]] == ["Анна", "Борис"]
    assert answer["results"][0]["chat"]["last_timestamp"] == 0
    assert [found["message"]["body"] for found in only["results"]] == ["разбит экран"]


async def test_a_file_is_downloaded_as_base64_as_a_link_or_both(shop: Shop) -> None:
    message = (await shop.write(voice=True))["message_ids"][0]

    async def keys() -> dict[str, str]:
        answer = (await shop.get("sync/message/media/download", message_id=message)).json()
        assert (answer["media_type"], answer["mime_type"]) == ("ptt", "audio/ogg; codecs=opus")
        return dict(answer)

    assert base64.b64decode((await keys())["file_b64"]) == sample("ptt")[0].content
    await shop.fault(download_as="link")
    linked = await keys()
    assert "file_b64" not in linked
    assert (await shop.web.get(linked["file_link"])).content == sample("ptt")[0].content
    await shop.fault(download_as="both")
    assert {"file_b64", "file_link", "file_link_expire"} <= set(await keys())


async def test_after_20_days_a_file_is_gone(shop: Shop) -> None:
    message = (await shop.write(image=True))["message_ids"][0]
    await shop.time.pass_(20 * DAY)
    assert (await shop.get("sync/message/media/download", message_id=message)).status_code == 200

    await shop.time.pass_(1)
    answer = await shop.get("sync/message/media/download", message_id=message)
    assert (answer.status_code, answer.json()) == (400, {"status": "error", "detail": "download media error"})


async def test_a_text_has_no_file(shop: Shop) -> None:
    message = (await shop.write(text="ау"))["message_ids"][0]

    assert (await shop.get("sync/message/media/download", message_id=message)).status_code == 400


async def test_downloads_that_run_at_once_can_swap_their_files(shop: Shop) -> None:
    voice = (await shop.write(voice=True))["message_ids"][0]
    image = (await shop.write(image=True))["message_ids"][0]
    await shop.fault(crossed_files=True)

    def download(message: str) -> asyncio.Future[object]:
        async def kind() -> object:
            answer = await shop.get("sync/message/media/download", message_id=message)
            return answer.json()["media_type"]

        return asyncio.ensure_future(kind())

    both = [download(voice), download(image)]
    await shop.time.pass_(1)
    assert [await one for one in both] == ["image", "ptt"]

    alone = download(voice)
    await shop.time.pass_(1)
    assert await alone == "ptt"


async def test_contacts_are_listed_shown_and_checked(shop: Shop) -> None:
    listed = (await shop.get("sync/contacts/get")).json()["contacts"]
    one = (await shop.get("sync/contact/get", recipient=ANNA)).json()["contact"]
    known = (await shop.get("sync/contact/check", phone=ANNA)).json()
    about = (await shop.get("sync/contact/info", user_id=ANNAS_CHAT)).json()["profile"]

    assert one in listed
    assert one == {
        "id": ANNAS_CHAT,
        "number": ANNA,
        "is_business": False,
        "name": "Анна",
        "pushname": "Анна",
        "short_name": "Анна",
        "business_name": "",
    }
    assert (known["on_whatsapp"], known["phone"]) == (True, ANNA)
    assert (about["is_on_whatsapp"], about["contact"]["FullName"]) == (True, "Анна")
    assert set(about["user"]) == {ANNAS_CHAT}


@pytest.mark.parametrize(
    ("path", "query"),
    [("get", {"recipient": "?"}), ("get", {}), ("check", {"phone": "+7"}), ("info", {"user_id": GROUP})],
)
async def test_a_contact_needs_a_phone(shop: Shop, path: str, query: dict[str, str]) -> None:
    assert (await shop.get(f"sync/contact/{path}", **query)).status_code == 400
