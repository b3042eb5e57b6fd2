from typing import Any

import httpx
import pytest

from tests.sandbox.max.conftest import Opens
from tests.sandbox.max.world import HOOK, SECRET, MaxWorld, shown
from tests.sandbox.world import settle

PAUSES = (60, 150, 375, 937.5, 2343.75, 5859.375, 14648.4375)
HOURS = 3600


async def test_a_message_is_pushed_as_the_contract_shows(max_: MaxWorld) -> None:
    await max_.subscribe(secret=SECRET)
    written = await max_.write(text="Сколько стоит?")

    [request], [update] = max_.receiver.requests, max_.updates
    message = update["message"]
    assert set(update) == {"update_type", "timestamp", "user_locale", "message"}
    assert (update["update_type"], update["user_locale"]) == ("message_created", "ru")
    assert set(message) == {"sender", "recipient", "timestamp", "body"}
    assert set(message["body"]) == {"mid", "seq", "text"}
    assert message["body"]["mid"] == written["message_ids"][0]
    assert message["recipient"] == {
        "chat_id": int(written["chat_id"]),
        "chat_type": "dialog",
        "user_id": 70_700_001,
    }
    assert message["sender"]["user_id"] == int(written["customer_id"])
    assert message["timestamp"] == 1_763_800_001_000
    assert request.headers["x-max-bot-api-secret"] == SECRET
    assert request.headers["user-agent"] == "OneMe/0.1.10 Bot API"
    assert request.headers["content-type"].startswith("application/json")


async def test_without_a_secret_there_is_no_header(max_: MaxWorld) -> None:
    await max_.subscribe()
    await max_.write(text="ау")
    assert "x-max-bot-api-secret" not in max_.receiver.requests[0].headers


async def test_a_wrong_secret_can_be_sent(max_: MaxWorld) -> None:
    await max_.subscribe(secret=SECRET)
    await max_.fault(wrong_secret=True)
    await max_.write(text="ау")
    assert max_.receiver.requests[0].headers["x-max-bot-api-secret"] != SECRET


async def test_subscriptions_are_listed_without_their_secret(max_: MaxWorld) -> None:
    await max_.subscribe(secret=SECRET, update_types=["message_created"])

    assert await max_.subscriptions() == [
        {"url": HOOK, "time": 1_763_800_001_000, "update_types": ["message_created"]}
    ]


async def test_the_same_url_updates_and_another_one_is_told_too(max_: MaxWorld) -> None:
    await max_.subscribe(secret=SECRET)
    await max_.subscribe(secret="another-one")
    await max_.subscribe("https://stranger.test/hook")
    assert len(await max_.subscriptions()) == 2

    await max_.write(text="ау")

    told = {r.url.host: r.headers.get("x-max-bot-api-secret") for r in max_.receiver.requests}
    assert told == {"shop.test": "another-one", "stranger.test": None}


async def test_only_the_wanted_types_are_pushed(max_: MaxWorld) -> None:
    await max_.subscribe(update_types=["bot_started"])
    await max_.write(text="ау")
    await max_.act("bot_started")
    assert [u["update_type"] for u in max_.updates] == ["bot_started"]


async def test_after_unsubscribing_nothing_comes(max_: MaxWorld) -> None:
    await max_.subscribe()

    wrong = await max_.api("DELETE", "/subscriptions", params={"url": f"{HOOK}/"})
    assert (wrong.status_code, wrong.json()["success"]) == (200, False)
    right = await max_.api("DELETE", "/subscriptions", params={"url": HOOK})
    assert right.json() == {"success": True}
    assert shown(await max_.api("DELETE", "/subscriptions")) == (400, "proto.payload")
    await max_.write(text="ау")
    assert max_.receiver.requests == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 5},
        {"url": "http://shop.test/hook"},
        {"url": "https://shop.test:8443/hook"},
        {"url": "https://shop.test:443/hook"},
        {"url": "http://127.0.0.1:8768/hook"},
        {"url": "https://"},
        {"url": "https://["},
        {"url": "https://shop.test:x"},
        {"url": "ftp://shop.test"},
        {"url": HOOK, "secret": "four"},
        {"url": HOOK, "secret": "s" * 257},
        {"url": HOOK, "secret": "with space"},
        {"url": HOOK, "secret": "строка"},
        {"url": HOOK, "secret": 12345},
        {"url": HOOK, "update_types": ["message_read"]},
        {"url": HOOK, "update_types": "message_created"},
    ],
)
async def test_wrong_subscriptions_are_400(max_: MaxWorld, body: dict[str, Any]) -> None:
    assert shown(await max_.api("POST", "/subscriptions", json=body)) == (400, "proto.payload")
    assert await max_.subscriptions() == []


@pytest.mark.parametrize(
    ("hosts", "status"), [(("127.0.0.1",), 200), (("*",), 200), (("shop.test",), 400), ((), 400)]
)
async def test_plain_http_is_for_the_hosts_of_the_setting(
    open_max: Opens, hosts: tuple[str, ...], status: int
) -> None:
    async with open_max(plain_webhook_hosts=hosts) as world:
        answer = await world.api("POST", "/subscriptions", json={"url": "http://127.0.0.1:8768/hook"})
    assert answer.status_code == status


async def test_a_failed_push_is_repeated_after_60_seconds_and_then_two_and_a_half_times_as_long(
    max_: MaxWorld,
) -> None:
    await max_.subscribe()
    max_.receiver.statuses = [500, 204, httpx.ConnectError("refused"), 302]
    await max_.write(text="ау")

    counts = []
    for pause in PAUSES[:4]:
        await max_.time.pass_(pause - 1)
        counts.append(len(max_.receiver.requests))
        await max_.time.pass_(1)

    assert counts == [1, 2, 3, 4]
    assert len(max_.receiver.requests) == 5
    assert len({request.content for request in max_.receiver.requests}) == 1
    log = (await max_.control("GET", "/deliveries")).json()["deliveries"]
    assert [line["status"] for line in log] == [500, 204, None, 302, 200]


async def test_a_failed_push_does_not_hold_up_the_next_ones(max_: MaxWorld) -> None:
    await max_.subscribe()
    max_.receiver.statuses = [500]
    await max_.write(text="первое")
    await max_.write(text="второе")
    await max_.time.pass_(60)

    assert [u["message"]["body"]["text"] for u in max_.updates] == ["первое", "второе", "первое"]


async def test_after_eight_hours_without_success_the_subscription_is_gone(max_: MaxWorld) -> None:
    await max_.subscribe()
    max_.receiver.statuses = [500] * 99
    await max_.write(text="ау")

    await max_.time.pass_(8 * HOURS - 2)
    assert len(await max_.subscriptions()) == 1
    assert len(max_.receiver.requests) == 1 + len(PAUSES)

    await max_.time.pass_(2)
    assert await max_.subscriptions() == []
    await max_.write(text="никому")
    await max_.time.pass_(100 * HOURS)
    assert len(max_.receiver.requests) == 1 + len(PAUSES)


async def test_one_success_within_the_eight_hours_saves_the_subscription(max_: MaxWorld) -> None:
    await max_.subscribe()
    max_.receiver.statuses = [500] * 7
    await max_.write(text="ау")
    await max_.time.pass_(7 * HOURS)
    await max_.time.pass_(7 * HOURS)

    assert len(await max_.subscriptions()) == 1


async def test_the_vendors_time_can_be_scaled(open_max: Opens) -> None:
    async with open_max(time_scale=0.001) as world:
        await world.subscribe()
        world.receiver.statuses = [500] * 99
        await world.write(text="ау")
        await world.time.pass_(0.06)
        assert len(world.receiver.requests) == 2
        await world.time.pass_(28.8)
        assert await world.subscriptions() == []


async def test_a_removed_subscription_gets_no_repeats(max_: MaxWorld) -> None:
    await max_.subscribe()
    max_.receiver.statuses = [500]
    await max_.write(text="ау")
    await max_.api("DELETE", "/subscriptions", params={"url": HOOK})
    await max_.time.pass_(HOURS)

    assert len(max_.receiver.requests) == 1


async def test_subscriptions_can_be_dropped_by_a_switch_and_made_again(max_: MaxWorld) -> None:
    await max_.subscribe()
    await max_.fault(unsubscribed=True)
    assert await max_.subscriptions() == []

    await max_.subscribe()
    await max_.write(text="ау")
    assert len(max_.updates) == 1


async def test_duplicates_silence_delay_and_another_order_can_be_switched_on(max_: MaxWorld) -> None:
    await max_.subscribe()

    def texts() -> list[str]:
        got = [u["message"]["body"]["text"] for u in max_.updates]
        max_.receiver.requests.clear()
        return got

    await max_.fault(duplicate=2)
    await max_.write(text="раз")
    assert texts() == ["раз", "раз"]
    await max_.fault(duplicate=1, silent_webhook=True)
    await max_.write(text="два")
    assert texts() == []
    await max_.fault(silent_webhook=False, delay=5)
    await max_.write(text="три")
    assert texts() == []
    await max_.time.pass_(5)
    assert texts() == ["три"]
    await max_.fault(delay=0, reorder=True)
    await max_.write(text="четыре")
    await max_.write(text="пять")
    assert texts() == ["пять", "четыре"]


async def test_what_was_lost_is_in_the_history(max_: MaxWorld) -> None:
    await max_.subscribe()
    await max_.fault(silent_webhook=True)
    chat = await max_.dialog()

    answer = await max_.api("GET", "/messages", params={"chat_id": chat})
    assert [m["body"]["text"] for m in answer.json()["messages"]] == ["Здравствуйте"]


async def test_a_reset_keeps_subscriptions_and_a_full_one_does_not(max_: MaxWorld) -> None:
    await max_.subscribe()
    await max_.write(text="раз")
    await max_.control("POST", "/reset")
    assert await max_.seen() == []
    assert len(await max_.subscriptions()) == 1

    await max_.control("POST", "/reset?everything=true")
    await settle()
    assert await max_.subscriptions() == []
