"""Setting the webhook and what it then gets (contract §2.1 to §2.4)."""

import asyncio
import base64
import itertools

import httpx
import pytest

from tests.sandbox.telegram.world import BUSINESS, HOOK, NEVER, SECRET, World, opened
from tests.sandbox.world import settle


async def test_a_message_is_delivered_as_the_contract_shows(telegram: World) -> None:
    await telegram.subscribe(secret_token=SECRET)
    written = await telegram.write("Ольга К.", text="Сколько стоит замена экрана?")

    [request], [update] = telegram.receiver.requests, telegram.receiver.updates
    person = int(written["customer_id"])
    names = {"first_name": "Ольга", "last_name": "К.", "username": f"client_{person}"}
    assert update == {
        "update_id": 500_000_001,
        "message": {
            "message_id": 11,
            "from": {"id": person, "is_bot": False, **names, "language_code": "ru"},
            "chat": {"id": person, **names, "type": "private"},
            "date": int(telegram.time.moment),
            "text": "Сколько стоит замена экрана?",
        },
    }
    assert str(request.url) == HOOK
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "gzip, deflate"
    assert request.headers["x-telegram-bot-api-secret-token"] == SECRET
    assert written["message_ids"] == [f"{person}:11"]


async def test_without_a_secret_there_is_no_header_and_userinfo_becomes_basic(telegram: World) -> None:
    await telegram.subscribe("https://me:secret@bot.example.test/hook?a=1")
    await telegram.write(text="ау")

    [request] = telegram.receiver.requests
    assert "x-telegram-bot-api-secret-token" not in request.headers
    assert request.headers["authorization"] == f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert request.url.query == b"a=1"


async def test_setting_again_changes_only_the_allowed_updates(telegram: World) -> None:
    first = await telegram.subscribe(secret_token=SECRET)
    again = await telegram.subscribe(secret_token=SECRET, allowed_updates=["message"])
    other = await telegram.subscribe(secret_token="other")

    assert first == {"ok": True, "result": True, "description": "Webhook was set"}
    assert again["description"] == "Webhook is already set"
    assert other["description"] == "Webhook was set"
    assert (await telegram.info())["allowed_updates"] == ["message"]


async def test_deleting_is_always_true(telegram: World) -> None:
    await telegram.subscribe()
    answers = [(await telegram.call("deleteWebhook")).json() for _ in range(2)]

    assert [answer["result"] for answer in answers] == [True, True]
    assert [a["description"] for a in answers] == ["Webhook was deleted", "Webhook is already deleted"]
    assert (await telegram.subscribe(""))["description"] == "Webhook is already deleted"


async def test_the_webhook_may_be_set_once_a_second(telegram: World) -> None:
    await telegram.subscribe()
    answer = await telegram.call("setWebhook", url=HOOK)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["parameters"] == {"retry_after": 1}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://x.test"}, "invalid webhook URL specified"),
        ({"url": "http://[::1"}, "invalid webhook URL specified"),
        ({"url": HOOK, "secret_token": "a" * 257}, "secret token is too long"),
        ({"url": HOOK, "secret_token": "пароль"}, "secret token contains unallowed characters"),
    ],
)
async def test_a_wrong_webhook_is_refused(telegram: World, options: dict[str, str], words: str) -> None:
    assert await telegram.refusal("setWebhook", **options) == (400, f"Bad Request: {words}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://bot.test/h"}, "An HTTPS URL must be provided for webhook"),
        (
            {"url": "https://bot.test:8080/h"},
            "Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        ({"url": "https://10.0.0.1/h"}, "IP address 10.0.0.1 is reserved"),
        ({"url": HOOK, "ip_address": "127.0.0.1"}, "IP address 127.0.0.1 is reserved"),
        ({"url": "https://[2001:db8::1]/h"}, "IPv6-only addresses are not allowed"),
    ],
)
async def test_the_strict_switch_wants_what_the_public_server_wants(
    options: dict[str, str], words: str
) -> None:
    async with opened(strict_webhook=True) as world:
        assert await world.refusal("setWebhook", **options) == (400, f"Bad Request: bad webhook: {words}")
        assert (await world.subscribe("https://bot.test:8443/h"))["ok"]


async def test_a_second_set_webhook_ends_the_first() -> None:
    async with opened(webhook_check=2) as world:
        first = asyncio.ensure_future(world.call("setWebhook", url=HOOK))
        await world.time.pass_(1)
        second = asyncio.ensure_future(world.call("setWebhook", url="https://other.test/h"))
        await world.time.pass_(2)

        assert (await first).json()["description"] == "Conflict: terminated by other setWebhook"
        assert (await second).status_code == 200
        assert (await world.info())["url"] == "https://other.test/h"


async def test_a_certificate_is_noticed(telegram: World) -> None:
    answer = await telegram.upload("setWebhook", {"certificate": b"PEM"}, url=HOOK)

    assert answer.json()["ok"]
    assert (await telegram.info())["has_custom_certificate"] is True


async def test_info_shows_keys_only_when_there_is_something(telegram: World) -> None:
    assert await telegram.info() == {
        "url": "",
        "has_custom_certificate": False,
        "pending_update_count": 0,
    }
    await telegram.subscribe(ip_address="203.0.113.7", max_connections=5)
    telegram.receiver.usual = 500
    await telegram.write(text="ау")

    assert await telegram.info() == {
        "url": HOOK,
        "has_custom_certificate": False,
        "pending_update_count": 1,
        "last_error_date": int(telegram.time.moment),
        "last_error_message": "Wrong response from the webhook: 500 Internal Server Error",
        "max_connections": 5,
        "ip_address": "203.0.113.7",
    }


async def test_the_usual_set_lacks_reactions_until_they_are_allowed(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.call("sendMessage", chat_id=await telegram.chat(), text="привет")
    await telegram.write(type="reaction")
    await telegram.subscribe(allowed_updates=["message_reaction"])
    await telegram.write(type="reaction", content={"emoji": "🔥"})
    await telegram.write(text="это не нужно")

    assert telegram.receiver.kinds == ["message", "message_reaction"]
    assert telegram.receiver.payloads[1]["old_reaction"] == [{"type": "emoji", "emoji": "👍"}]
    assert telegram.receiver.payloads[1]["new_reaction"] == [{"type": "emoji", "emoji": "🔥"}]


@pytest.mark.parametrize("usual", [[], ["nonsense"]])
async def test_absent_allowed_updates_keep_the_old_list_and_an_empty_one_ends_it(
    telegram: World, usual: list[str]
) -> None:
    await telegram.subscribe(allowed_updates=["callback_query"])
    await telegram.subscribe("https://other.test/h")
    await telegram.write(text="не придёт")
    await telegram.subscribe(allowed_updates=usual)
    await telegram.write(text="придёт")

    assert telegram.receiver.texts == ["придёт"]
    assert "allowed_updates" not in await telegram.info()


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_takes_the_update(telegram: World, status: int) -> None:
    telegram.receiver.usual = status
    await telegram.subscribe()
    await telegram.write(text="ау")
    await telegram.time.pass_(300)

    assert len(telegram.receiver.requests) == 1


async def test_failures_are_repeated_at_once_then_after_2_4_8_seconds(telegram: World) -> None:
    telegram.receiver.answers = [500, 302, httpx.ConnectError("refused"), 500, 200]
    await telegram.subscribe()
    await telegram.write(text="ау")
    start = telegram.time.moment
    await telegram.time.pass_(60)

    tried = await telegram.deliveries()
    assert [line["at"] - start for line in tried] == [0, 0, 2, 6, 14]
    assert [line["status"] for line in tried] == [500, 302, None, 500, 200]
    assert {update["update_id"] for update in telegram.receiver.updates} == {500_000_001}
    assert (await telegram.info())["pending_update_count"] == 0


async def test_pauses_are_capped_between_one_and_two_minutes(telegram: World) -> None:
    telegram.receiver.usual = 500
    await telegram.subscribe()
    await telegram.write(text="ау")
    await telegram.time.pass_(3600)

    times = [line["at"] for line in await telegram.deliveries()]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[:7] == [0, 2, 4, 8, 16, 32, pytest.approx(62, abs=2.1)]
    assert all(60 <= pause <= 120 for pause in pauses[6:])


async def test_retry_after_of_the_answer_replaces_the_pause(telegram: World) -> None:
    telegram.receiver.answers = [httpx.Response(503, headers={"retry-after": "30"})]
    await telegram.subscribe()
    await telegram.write(text="ау")
    await telegram.time.pass_(29)
    assert len(telegram.receiver.requests) == 1

    await telegram.time.pass_(1)
    assert len(telegram.receiver.requests) == 2


async def test_the_speed_factor_shortens_the_pauses() -> None:
    async with opened(retry_speed=10) as world:
        world.receiver.answers = [500, 500, 500]
        await world.subscribe()
        await world.write(text="ау")
        await world.time.pass_(0.7)

        assert [line["status"] for line in await world.deliveries()] == [500, 500, 500, 200]


async def test_an_update_is_given_up_after_a_day(telegram: World) -> None:
    telegram.receiver.usual = 500
    await telegram.subscribe()
    await telegram.write(text="старое")
    await telegram.fault(clock_ahead=86_400)
    telegram.receiver.usual = 200
    await telegram.write(text="новое")
    await telegram.time.pass_(5)

    assert telegram.receiver.texts[-1] == "новое"
    assert (await telegram.info())["pending_update_count"] == 0
    assert (await telegram.deliveries())[-2]["error"] == "given up: too old, or dropped"


async def test_a_chat_that_fails_holds_back_only_itself(telegram: World) -> None:
    await telegram.subscribe()
    telegram.receiver.answers = [500, 500]
    await telegram.write("Анна", text="раз")
    await telegram.write("Анна", text="два")
    await telegram.write("Борис", text="мимо")

    assert telegram.receiver.texts == ["раз", "раз", "мимо"]
    assert (await telegram.info())["pending_update_count"] == 2

    await telegram.time.pass_(2)
    assert telegram.receiver.texts == ["раз", "раз", "мимо", "раз", "два"]


async def test_no_more_chats_than_connections_at_once(telegram: World) -> None:
    await telegram.subscribe(max_connections=1)
    telegram.receiver.answers = [500, 500]
    await telegram.write("Анна", text="раз")
    await telegram.write("Борис", text="два")
    assert telegram.receiver.texts == ["раз", "раз"]

    await telegram.time.pass_(2)
    assert telegram.receiver.texts == ["раз", "раз", "раз", "два"]


async def test_gone_for_23_hours_removes_the_webhook(telegram: World) -> None:
    telegram.receiver.usual = 410
    await telegram.subscribe()
    await telegram.write(text="ау")
    await telegram.fault(clock_ahead=23 * 3600 - 10)
    await telegram.time.pass_(2)
    assert (await telegram.info())["url"] == HOOK

    await telegram.time.pass_(30)
    info = await telegram.info()
    assert (info["url"], info["pending_update_count"]) == ("", 1)


async def test_what_waited_without_a_webhook_is_delivered_when_one_is_set(telegram: World) -> None:
    await telegram.write(text="раз")
    await telegram.write(text="два")
    await telegram.subscribe()

    assert telegram.receiver.texts == ["раз", "два"]
    assert [update["update_id"] for update in telegram.receiver.updates] == [500_000_001, 500_000_002]


async def test_pending_updates_can_be_dropped(telegram: World) -> None:
    await telegram.write(text="раз")
    await telegram.subscribe(drop_pending_updates=True)
    telegram.receiver.usual = 500
    await telegram.write(text="два")
    await telegram.call("deleteWebhook", drop_pending_updates=True)
    await telegram.time.pass_(600)

    assert telegram.receiver.texts == ["два", "два"]
    assert (await telegram.info())["pending_update_count"] == 0


async def test_pending_updates_go_to_the_new_address(telegram: World) -> None:
    telegram.receiver.answers = [500, 500, 500]
    await telegram.subscribe()
    await telegram.write(text="ау")
    await telegram.subscribe("https://new.test/h")

    assert str(telegram.receiver.requests[-1].url) == "https://new.test/h"
    assert telegram.receiver.updates[-1] == telegram.receiver.updates[0]


async def test_ids_jump_after_a_week_of_silence(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.write(text="раз")
    await telegram.fault(clock_ahead=8 * 86_400)
    await telegram.write(text="два")

    first, second = (update["update_id"] for update in telegram.receiver.updates)
    assert second != first + 1


@pytest.mark.parametrize("how", ["json", "form", "multipart"])
async def test_a_method_in_the_webhooks_answer_is_executed(telegram: World, how: str) -> None:
    await telegram.subscribe()
    chat = await telegram.chat()
    call = {"method": "sendMessage", "chat_id": str(chat), "text": "ответ"}
    encoded = httpx.Request(
        "POST",
        "https://x.test",
        json=call if how == "json" else None,
        data=None if how == "json" else call,
        files={"unused": b"1"} if how == "multipart" else None,
    )
    kind = {"content-type": encoded.headers["content-type"]}
    telegram.receiver.answers = [httpx.Response(200, content=encoded.read(), headers=kind)]
    await telegram.write(text="вопрос")

    assert [message["text"] for message in await telegram.seen()] == ["ау", "вопрос", "ответ"]


@pytest.mark.parametrize("method", ["deleteWebhook", "setWebhook", "getMe", "logOut", "nonsense"])
async def test_some_methods_are_not_for_the_webhooks_answer(telegram: World, method: str) -> None:
    await telegram.subscribe()
    telegram.receiver.answers = [httpx.Response(200, json={"method": method}), httpx.Response(200, text="{")]
    await telegram.write(text="раз")
    await telegram.write(text="два")

    assert (await telegram.info())["url"] == HOOK
    assert telegram.receiver.texts == ["раз", "два"]


async def test_an_album_comes_as_separate_updates_a_moment_apart(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.write(type="album", text="Вот трещина")
    assert len(telegram.receiver.requests) == 1

    await telegram.time.pass_(0.6)
    items = telegram.receiver.payloads
    assert [item["message_id"] for item in items] == [11, 12, 13]
    assert len({item["media_group_id"] for item in items}) == 1
    assert [item.get("caption") for item in items] == ["Вот трещина", None, None]
    assert len({item["date"] for item in items}) == 1


async def test_business_chats_have_a_lane_of_their_own(telegram: World) -> None:
    await telegram.subscribe()
    telegram.receiver.answers = [500, 500]
    await telegram.write(text="боту")
    await telegram.write(text="человеку", ad=BUSINESS)

    assert telegram.receiver.texts == ["боту", "боту", "человеку"]


async def test_a_webhook_that_never_answers_is_left_after_the_read_timeout() -> None:
    async with opened(read_timeout=0.01) as world:
        world.receiver.answers = [NEVER]
        await world.subscribe()
        await world.write(text="ау")
        await world.receiver.repeated.wait()
        await settle()

        assert (await world.info())["last_error_message"] == "Read timeout expired"
        assert [line["status"] for line in await world.deliveries()] == [None, 200]
