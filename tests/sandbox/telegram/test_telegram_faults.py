"""Limits, and the switches that make Telegram misbehave (contract §7, §8, §11)."""

import asyncio
from typing import Any

import pytest

from tests.sandbox.telegram.world import SECRET, TOKEN, World, opened
from tests.sandbox.world import settle


async def test_rate_limit_says_the_pause_three_times(telegram: World) -> None:
    await telegram.fault(rate_limit={"calls": 1, "retry_after": 17})

    answer = await telegram.call("getMe")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")
    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 17",
        "parameters": {"retry_after": 17},
    }
    assert (await telegram.call("getMe")).status_code == 200


async def test_a_pause_can_be_left_out_and_a_method_aimed_at(telegram: World) -> None:
    await telegram.fault(rate_limit={"calls": 1, "retry_after": None, "path": "sendMessage"})
    assert (await telegram.call("getMe")).status_code == 200

    answer = await telegram.call("sendmessage", chat_id=await telegram.chat(), text="x")
    assert (answer.status_code, "retry-after" in answer.headers) == (429, False)


@pytest.mark.parametrize(
    ("fault", "description"),
    [
        ({"status": 500}, "Internal Server Error: restart"),
        ({"status": 401}, "Unauthorized"),
        ({"status": 403}, "Forbidden: bot was blocked by the user"),
        ({"status": 413}, "Request Entity Too Large"),
        (
            {"status": 400, "description": "not enough rights to send photos to the chat"},
            "Bad Request: not enough rights to send photos to the chat",
        ),
        ({"status": 418}, "made up by the fault switch"),
    ],
)
async def test_error_gives_the_next_call_a_status(
    telegram: World, fault: dict[str, Any], description: str
) -> None:
    await telegram.fault(error=fault)

    assert await telegram.refusal("getMe") == (fault["status"], description)
    assert (await telegram.call("getMe")).status_code == 200


async def test_the_front_end_answers_with_html(telegram: World) -> None:
    await telegram.fault(error={"status": 504})

    answer = await telegram.call("getMe")
    assert (answer.status_code, "html" in answer.headers["content-type"]) == (504, True)


async def test_slow_holds_every_call(telegram: World) -> None:
    await telegram.fault(slow=3)
    call = asyncio.ensure_future(telegram.call("getMe"))
    await telegram.time.pass_(2.9)
    assert not call.done()

    await telegram.time.pass_(0.1)
    assert (await call).status_code == 200


@pytest.mark.parametrize(("how", "status"), [("502", 502), ("500", 500)])
async def test_a_send_can_be_stored_and_its_answer_lost(telegram: World, how: str, status: int) -> None:
    chat = await telegram.chat()
    await telegram.fault(drop_after_storing=1, drop_as=how)

    lost = await telegram.call("sendMessage", chat_id=chat, text="первый")
    kept = await telegram.call("sendMessage", chat_id=chat, text="второй")

    assert (lost.status_code, kept.status_code) == (status, 200)
    assert [message["text"] for message in await telegram.seen()] == ["ау", "первый", "второй"]


async def test_the_connection_can_be_cut_after_storing(telegram: World) -> None:
    chat = await telegram.chat()
    await telegram.fault(drop_after_storing=1, drop_as="cut")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/telegram/bot{TOKEN}/sendMessage",
        "query_string": f"chat_id={chat}&text=x".encode(),
        "headers": [],
    }
    await telegram.app(scope, receive, send)

    assert sent[-1]["more_body"] is True
    assert [message["text"] for message in await telegram.seen()] == ["ау", "x"]


async def test_forbidden_refuses_the_next_sends(telegram: World) -> None:
    chat = await telegram.chat()
    await telegram.fault(forbidden=1)

    assert await telegram.refusal("sendMessage", chat_id=chat, text="x") == (
        403,
        "Forbidden: bot was blocked by the user",
    )
    assert await telegram.result("sendMessage", chat_id=chat, text="x")


async def test_duplicates_keep_their_update_id(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.fault(duplicate=3)
    await telegram.write(text="ау")

    assert [update["update_id"] for update in telegram.receiver.updates] == [500_000_001] * 3


async def test_reordered_updates_swap_places(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.fault(reorder=True)
    await telegram.write(text="раз")
    await telegram.write(text="два")
    assert telegram.receiver.texts == []

    await telegram.time.pass_(2)
    assert telegram.receiver.texts == ["два", "раз"]

    await telegram.write(text="одна")
    await telegram.time.pass_(2)
    assert telegram.receiver.texts == ["два", "раз", "одна"]


async def test_updates_can_be_late_or_never_come(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.fault(delay=5)
    await telegram.write(text="поздно")
    assert telegram.receiver.texts == []
    await telegram.time.pass_(5)

    await telegram.fault(delay=0, hold=True)
    await telegram.write(text="ещё позже")
    await telegram.time.pass_(60)
    assert telegram.receiver.texts == ["поздно"]
    await telegram.fault(hold=False)
    await telegram.time.pass_(1)

    await telegram.fault(silent_webhook=True)
    await telegram.write(text="никогда")
    await telegram.fault(silent_webhook=False)
    await telegram.write(text="снова")

    assert telegram.receiver.texts == ["поздно", "ещё позже", "снова"]
    assert (await telegram.deliveries())[2]["error"] == "dropped by silent_webhook"


async def test_the_secret_can_be_wrong_or_absent(telegram: World) -> None:
    await telegram.subscribe(secret_token=SECRET)
    for how in ("wrong", "absent", "right"):
        await telegram.fault(secret=how)
        await telegram.write(text=how)

    header = "x-telegram-bot-api-secret-token"
    assert [request.headers.get(header) for request in telegram.receiver.requests] == [
        "wrong-secret",
        None,
        SECRET,
    ]


async def test_a_revoked_token_stops_the_deliveries_until_it_is_back(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.fault(expired_token=True)
    await telegram.write(text="ждёт")
    assert telegram.receiver.texts == []

    await telegram.control("DELETE", "/faults")
    assert telegram.receiver.texts == ["ждёт"]


async def test_unsubscribed_removes_the_webhook(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.fault(unsubscribed=True)

    assert (await telegram.info())["url"] == ""
    assert (await telegram.control("GET", "/faults")).json()["faults"]["unsubscribed"] is False
    await telegram.subscribe()
    assert (await telegram.info())["url"]


async def test_unknown_switches_are_named(telegram: World) -> None:
    answer = await telegram.control("POST", "/faults", json={"nonsense": 1})

    assert (answer.status_code, "unknown switch: nonsense" in answer.json()["error"]) == (422, True)


async def test_a_chat_takes_a_burst_then_one_message_a_second() -> None:
    async with opened(chat_burst=2) as world:
        chat, other = await world.chat("Анна"), await world.chat("Борис")
        answers = [await world.call("sendMessage", chat_id=chat, text="x") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["parameters"] == {"retry_after": 1}
        assert (await world.call("sendMessage", chat_id=other, text="x")).status_code == 200

        await world.time.pass_(1)
        assert (await world.call("sendMessage", chat_id=chat, text="x")).status_code == 200


async def test_a_clock_that_was_put_back_blocks_nothing(telegram: World) -> None:
    chat = await telegram.chat()
    await telegram.fault(clock_ahead=86_400)
    await telegram.subscribe()
    await telegram.result("sendMessage", chat_id=chat, text="завтра")
    await telegram.fault(clock_ahead=0)

    assert await telegram.result("sendMessage", chat_id=chat, text="сегодня")
    assert (await telegram.subscribe("https://other.test/h"))["ok"]


async def test_an_album_counts_as_its_messages(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.write(image=True)
    photo = telegram.receiver.payloads[0]["photo"][-1]["file_id"]
    chat = telegram.receiver.payloads[0]["chat"]["id"]
    media = [{"type": "photo", "media": photo}] * 8

    assert len(await telegram.result("sendMediaGroup", chat_id=chat, media=media)) == 8
    answer = await telegram.call("sendMessage", chat_id=chat, text="x")
    assert answer.json()["parameters"] == {"retry_after": 4}


async def test_a_group_takes_twenty_a_minute() -> None:
    async with opened(chat_per_second=100, chat_burst=100) as world:
        group = await world.group()
        answers = [await world.call("sendMessage", chat_id=group, text="x") for _ in range(21)]

        assert [answer.status_code for answer in answers[18:]] == [200, 200, 429]
        assert answers[20].json()["parameters"] == {"retry_after": 3}


async def test_a_paid_broadcast_passes_the_limit_of_all_chats() -> None:
    async with opened(all_per_second=1, chat_burst=10) as world:
        chat = await world.chat()
        free = [await world.call("sendMessage", chat_id=chat, text="x") for _ in range(2)]
        paid = await world.call("sendMessage", chat_id=chat, text="x", allow_paid_broadcast=True)

        assert [answer.status_code for answer in [*free, paid]] == [200, 429, 200]


async def test_reset_forgets_conversations_and_everything_the_webhook_too(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.write(text="ау")
    await telegram.fault(slow=1)
    await telegram.control("POST", "/reset")
    assert await telegram.seen() == []
    assert (await telegram.info())["url"]

    await telegram.write(text="снова")
    assert telegram.receiver.updates[-1]["update_id"] == 500_000_002
    await telegram.control("POST", "/reset?everything=true")
    assert (await telegram.info())["url"] == ""
    await settle()
    assert (await telegram.deliveries()) == []


async def test_the_channel_lists_its_customers_and_where_they_write(telegram: World) -> None:
    chat = await telegram.chat("Вера")
    channels = (await telegram.control("GET", "/../channels")).json()["channels"]
    customers = (await telegram.control("GET", "/customers")).json()["customers"]

    telegram_channel = next(channel for channel in channels if channel["name"] == "telegram")
    assert [topic["id"] for topic in telegram_channel["topics"]] == [1, 2, 3]
    assert [customer["customer"] for customer in customers] == ["Анна", "Борис", "Марина", "Вера"]
    assert customers[3]["chats"] == [
        {
            "id": str(chat),
            "type": "bot",
            "title": "Бот мастерской",
            "note": None,
            "topic": 1,
            "typing": False,
            "keyboard": [],
        }
    ]
