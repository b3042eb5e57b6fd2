import httpx
import pytest

from tests.sandbox.whatsapp.shop import ANNA, ANNAS_CHAT, GROUP, HOOK, PHONE, PROFILE, Shop

OWN = f"{PHONE}@c.us"


async def test_a_text_is_told_with_the_fields_of_2026(shop: Shop) -> None:
    await shop.subscribe()
    message = (await shop.write(text="Сколько стоит диагностика?"))["message_ids"][0]

    [[item]] = shop.outside.bodies
    shown = {key: item[key] for key in ("wh_type", "profile_id", "id", "timestamp", "time", "body", "type")}
    assert shown == {
        "wh_type": "incoming_message",
        "profile_id": PROFILE,
        "id": message,
        "timestamp": "2025-11-22T11:26:40+03:00",
        "time": 1_763_800_000,
        "body": "Сколько стоит диагностика?",
        "type": "chat",
    }
    assert (item["from"], item["to"], item["chatId"]) == (ANNAS_CHAT, OWN, ANNAS_CHAT)
    assert (item["senderName"], item["chat_type"], item["platform"]) == ("Анна", "dialog", "whatsapp")
    assert (item["is_me"], item["from_where"], item["caption"]) == (False, "phone", None)
    assert item["whatsapp_chat_id"].endswith("@lid")
    assert (await shop.web.get(item["thumbnail"])).headers["content-type"] == "image/png"
    assert shop.outside.requests[0].headers["content-type"] == "application/json"


async def test_the_set_of_2022_has_the_stable_core_only(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(fields="short")
    await shop.write(text="ау")
    await shop.write(type="location")

    text, place = shop.outside.items
    assert set(text) == {
        *("wh_type", "profile_id", "id", "timestamp", "time", "body", "type", "from", "to", "chatId"),
        *("senderName", "caption", "mimetype", "file_name", "isReply", "stanza_id"),
    }
    assert place["location"]["latitude"] == 55.75


async def test_a_new_subscriber_hears_no_echo_until_it_asks(shop: Shop) -> None:
    await shop.post("webhook/url/set", params={"url": HOOK})
    await shop.send()
    await shop.control("POST", "/operator/messages", json={"chat": ANNAS_CHAT, "text": "от человека"})
    await shop.write(type="call")
    await shop.write(text="ау")

    assert {item["wh_type"] for item in shop.outside.items} == {"delivery_status", "incoming_message"}
    status = (await shop.get("sync/get/status")).json()
    assert status["webhook_types"] == ["authorization_status", "incoming_message", "delivery_status"]


async def test_setting_types_replaces_them(shop: Shop) -> None:
    await shop.subscribe(["outgoing_message_phone"])
    await shop.write(text="ау")
    await shop.send()
    await shop.control("POST", "/operator/messages", json={"chat": ANNAS_CHAT, "text": "от человека"})

    [item] = shop.outside.items
    assert (item["wh_type"], item["body"], item["from_where"]) == (
        "outgoing_message_phone",
        "от человека",
        "phone",
    )
    assert (item["from"], item["to"], item["chatId"], item["is_me"]) == (OWN, ANNAS_CHAT, ANNAS_CHAT, True)
    assert "task_id" not in item


@pytest.mark.parametrize(
    "body", [{"types": ["incoming_message"]}, ["messages_status"], [5], "incoming_message", None]
)
async def test_types_must_be_a_bare_array_of_known_names(shop: Shop, body: object) -> None:
    assert (await shop.post("webhook/types/set", body)).status_code == 400


async def test_an_object_around_the_types_can_be_allowed(shop: Shop) -> None:
    await shop.fault(lenient=True)
    await shop.post("webhook/types/set", {"types": ["incoming_call", "incoming_call"]})

    assert (await shop.get("sync/get/status")).json()["webhook_types"] == ["incoming_call"]


async def test_the_url_is_set_in_the_query_shown_and_deleted(shop: Shop) -> None:
    before = (await shop.get("webhook/url/get")).json()
    assert (before["status"], before["url"], before["installed"]) == ("done", "", False)

    await shop.post("webhook/url/set", params={"url": f"{HOOK}?key=a&b=в"})
    shown = (await shop.get("webhook/url/get")).json()
    assert (shown["url"], shown["installed"]) == (f"{HOOK}?key=a&b=в", True)

    await shop.post("webhook/url/delete")
    await shop.write(text="ау")
    assert shop.outside.requests == []


@pytest.mark.parametrize("url", ["", "shop.test/hook", "ftp://shop.test", "http://", "http://a:x"])
async def test_a_url_must_be_a_web_address(shop: Shop, url: str) -> None:
    assert (await shop.post("webhook/url/set", params={"url": url})).status_code == 400
    assert (await shop.post("webhook/url/set", {"url": HOOK})).status_code == 400


@pytest.mark.parametrize("header", ["Authorization", "x-wappi-auth"])
async def test_the_phrase_comes_in_a_header_of_any_name(shop: Shop, header: str) -> None:
    await shop.subscribe(auth="open sesame")
    await shop.fault(auth_header=header)
    await shop.write(text="ау")

    assert shop.outside.requests[0].headers[header] == "open sesame"


async def test_without_a_phrase_there_is_no_such_header(shop: Shop) -> None:
    await shop.subscribe(auth="open sesame")
    await shop.subscribe()
    await shop.write(text="ау")

    assert "authorization" not in shop.outside.requests[0].headers
    assert (await shop.post("webhook/url/set", params={"url": HOOK, "auth": "фраза"})).status_code == 400


async def test_the_echo_names_the_task_and_the_mark_of_its_sender(shop: Shop) -> None:
    await shop.subscribe()
    sent = (
        await shop.post("sync/message/send", {"recipient": ANNA, "body": "ау"}, params={"bot_id": "b1"})
    ).json()
    await shop.fault(bot_id_returns=False)
    await shop.post("sync/message/send", {"recipient": ANNA, "body": "ау"}, params={"bot_id": "b1"})

    echo, unmarked = shop.outside.told("outgoing_message_api")
    assert (echo["id"], echo["task_id"]) == (sent["message_id"], sent["task_id"])
    assert (echo["wappi_bot_id"], echo["from_where"], echo["is_me"]) == ("b1", "api", True)
    assert unmarked["wappi_bot_id"] == ""


async def test_a_crm_that_shares_the_profile_is_echoed_like_ourselves(shop: Shop) -> None:
    await shop.subscribe()
    await shop.write(text="Здравствуйте, я Ольга", type="text", content={"by": "crm"})

    [item] = shop.outside.told("outgoing_message_api")
    assert (item["body"], item["from_where"], len(item["task_id"])) == ("Здравствуйте, я Ольга", "api", 36)


async def test_an_operators_message_can_take_the_older_form(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(operator_as_incoming=True)
    await shop.control("POST", "/operator/messages", json={"chat": ANNA, "text": "от человека"})

    [item] = shop.outside.told("incoming_message")
    assert (item["is_me"], item["from"]) == (True, OWN)


async def test_the_operator_can_send_any_kind(shop: Shop) -> None:
    await shop.subscribe()
    await shop.write(type="photo", content={"by": "operator", "caption": "ваш экран"})

    [item] = shop.outside.told("outgoing_message_phone")
    assert (item["type"], item["caption"]) == ("image", "ваш экран")


async def test_statuses_go_from_pending_to_read(shop: Shop) -> None:
    await shop.subscribe()
    sent = await shop.send()
    await shop.time.pass_(1)
    await shop.control("POST", "/customers/Анна/read")

    statuses = shop.outside.told("delivery_status")
    assert [item["status"] for item in statuses] == ["pending", "delivered", "read"]
    assert statuses[1] == {
        "id": sent["message_id"],
        "profile_id": PROFILE,
        "wh_type": "delivery_status",
        "timestamp": "2025-11-22T11:26:41+03:00",
        "time": 1_763_800_001,
        "from": OWN,
        "to": ANNAS_CHAT,
        "chat_id": ANNAS_CHAT,
        "status": "delivered",
        "task_id": sent["task_id"],
    }


async def test_a_message_read_at_once_is_never_told_as_delivered(shop: Shop) -> None:
    await shop.subscribe()
    await shop.send()
    await shop.control("POST", "/customers/Анна/read")
    await shop.time.pass_(9)

    assert [item["status"] for item in shop.outside.told("delivery_status")] == ["pending", "read"]


async def test_statuses_can_be_skipped(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(skip_statuses=["pending"])
    await shop.send()
    await shop.time.pass_(1)

    assert [item["status"] for item in shop.outside.told("delivery_status")] == ["delivered"]


@pytest.mark.parametrize("end", ["undelivered", "error", "temporary ban"])
async def test_a_message_can_end_badly(shop: Shop, end: str) -> None:
    await shop.subscribe()
    await shop.fault(delivery_ends=end)
    answer = await shop.send()
    await shop.time.pass_(1)
    await shop.control("POST", "/customers/Анна/read")

    assert answer["status"] == "done"
    assert [item["status"] for item in shop.outside.told("delivery_status")] == ["pending", end]
    assert (await shop.rows())[0]["delivery_status"] == end
    assert await shop.seen() == []


async def test_a_number_without_whatsapp_is_answered_done_and_then_undelivered(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(not_on_whatsapp=[ANNA])
    await shop.send()
    await shop.time.pass_(1)

    assert [item["status"] for item in shop.outside.told("delivery_status")] == ["pending", "undelivered"]
    assert (await shop.get("sync/contact/check", phone=ANNA)).json()["on_whatsapp"] is False


async def test_a_number_that_starts_with_8_is_answered_done_and_never_delivered(shop: Shop) -> None:
    await shop.subscribe()
    answer = await shop.send(recipient="89000000002")
    await shop.time.pass_(1000)

    assert answer["status"] == "done"
    assert [item["status"] for item in shop.outside.told("delivery_status")] == ["pending"]
    assert await shop.seen() == []


async def test_statuses_and_calls_are_an_object_and_messages_an_array(shop: Shop) -> None:
    await shop.subscribe()
    await shop.write(text="ау")
    await shop.write(type="missed_call")
    await shop.send()

    shapes = [type(body) for body in shop.outside.bodies]
    assert shapes == [list, dict, list, dict]


async def test_which_types_are_objects_can_be_chosen(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(object_for=["incoming_message"])
    await shop.write(text="ау")
    await shop.write(type="missed_call")

    assert [type(body) for body in shop.outside.bodies] == [dict, list]


async def test_messages_written_together_can_share_a_post(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(items_per_post=2)
    written = await shop.write(type="album", content={"count": 3}, text="три экрана")

    assert [len(body) for body in shop.outside.bodies] == [2, 1]
    assert [item["id"] for item in shop.outside.items] == written["message_ids"]
    assert [item["caption"] for item in shop.outside.items] == ["три экрана", "", ""]


@pytest.mark.parametrize("kind", ["incoming_call", "missed_call", "call_terminate", "call_accept"])
async def test_a_call_has_no_id(shop: Shop, kind: str) -> None:
    await shop.subscribe()
    await shop.write(type=kind)

    [body] = shop.outside.bodies
    assert body == {
        "wh_type": "incoming_call",
        "type": kind,
        "profile_id": PROFILE,
        "number": ANNA,
        "contact": {
            "Found": True,
            "FirstName": "Анна",
            "FullName": "Анна",
            "PushName": "Анна",
            "BusinessName": "",
        },
        "timestamp": "2025-11-22T11:26:40+03:00",
        "time": 1_763_800_000,
    }


async def test_in_a_group_the_chat_is_the_group_and_the_sender_the_participant(shop: Shop) -> None:
    await shop.subscribe()
    await shop.write(text="всем привет", chat=GROUP)

    [item] = shop.outside.items
    assert (item["chatId"], item["from"], item["chat_type"]) == (GROUP, ANNAS_CHAT, "group")
    assert (item["contact_name"], item["senderName"]) == ("Соседи по дому", "Анна")


@pytest.mark.parametrize(("digits", "shown"), [(6, ".000000"), (9, ".000000000")])
async def test_time_strings_may_have_fractions(shop: Shop, digits: int, shown: str) -> None:
    await shop.subscribe()
    await shop.fault(fraction_digits=digits)
    await shop.write(text="ау")

    assert shop.outside.items[0]["timestamp"] == f"2025-11-22T11:26:40{shown}+03:00"


async def test_a_failed_push_is_repeated_after_5_30_and_120_seconds(shop: Shop) -> None:
    await shop.subscribe()
    shop.outside.statuses = [500, 404, httpx.ConnectError("refused"), 204]
    await shop.write(text="ау")

    counts = [len(shop.outside.requests)]
    for pause in (4, 1, 30, 119, 1, 1000):
        await shop.time.pass_(pause)
        counts.append(len(shop.outside.requests))

    assert counts == [1, 1, 2, 3, 3, 4, 4]
    assert len({request.content for request in shop.outside.requests}) == 1


async def test_any_success_ends_the_deliveries(shop: Shop) -> None:
    await shop.subscribe()
    shop.outside.statuses = [201]
    await shop.write(text="ау")
    await shop.time.pass_(1000)

    assert len(shop.outside.requests) == 1


async def test_duplicates_reordering_delay_and_silence(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(duplicate=2)
    await shop.write(text="дважды")
    await shop.fault(duplicate=1, reorder=True)
    await shop.write(text="раз")
    await shop.write(text="два")
    await shop.fault(reorder=False, delay=5)
    await shop.write(text="поздно")
    assert [item["body"] for item in shop.outside.items] == ["дважды", "дважды", "два", "раз"]

    await shop.time.pass_(5)
    await shop.fault(delay=0, silent_webhook=True)
    await shop.write(text="тихо")
    assert shop.outside.items[-1]["body"] == "поздно"
    assert (await shop.rows())[0]["body"] == "тихо"


async def test_a_reset_stops_statuses_and_queued_sends(shop: Shop) -> None:
    await shop.subscribe()
    await shop.send()
    await shop.post("async/message/send", {"recipient": ANNA, "body": "потом"})
    await shop.control("POST", "/reset")
    told = len(shop.outside.requests)
    await shop.time.pass_(100)

    assert len(shop.outside.requests) == told
    assert await shop.seen() == []
    await shop.write(text="снова")
    assert shop.outside.items[-1]["body"] == "снова"


async def test_a_full_reset_forgets_the_subscription(shop: Shop) -> None:
    await shop.subscribe()
    await shop.control("POST", "/reset?everything=true")
    await shop.write(text="ау")

    assert shop.outside.requests == []
