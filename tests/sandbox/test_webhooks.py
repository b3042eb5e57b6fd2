import re

import httpx
import pytest

from tests.sandbox.world import ACCOUNT, HOOK, World, chat_path, settle


@pytest.fixture(autouse=True)
async def _subscribed(world: World) -> None:
    await world.subscribe()


async def test_a_customers_message_is_pushed_as_the_contract_shows(world: World) -> None:
    written = await world.write(text="Сколько стоит диагностика?")

    [request] = world.receiver.requests
    [push] = world.receiver.pushes
    assert (push["version"], push["timestamp"], push["payload"]["type"]) == (
        "v3.0.0",
        1_763_800_000,
        "message",
    )
    assert push["payload"]["value"] == {
        "id": written["message_ids"][0],
        "chat_id": written["chat_id"],
        "chat_type": "u2i",
        "user_id": ACCOUNT,
        "author_id": int(written["customer_id"]),
        "item_id": 3_550_001_234,
        "type": "text",
        "content": {"text": "Сколько стоит диагностика?"},
        "created": 1_763_800_000,
        "published_at": "2025-11-22T08:26:40Z",
        "read": None,
    }
    assert request.headers["content-type"] == "application/json"
    assert re.fullmatch("[0-9a-f]{64}", request.headers["x-avito-messenger-signature"])


async def test_own_and_operator_messages_come_back_with_the_accounts_id(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]
    sent = (await world.send(chat, "ответ")).json()
    await world.control("POST", "/operator/messages", json={"chat": chat, "text": "от человека"})
    await settle()

    own = world.receiver.values[1:]

    assert [value["author_id"] for value in own] == [ACCOUNT, ACCOUNT]
    assert own[0]["id"] == sent["id"]
    assert world.receiver.texts == ["ау", "ответ", "от человека"]


async def test_a_deletion_is_pushed_with_the_same_id_and_another_type(world: World) -> None:
    written = await world.write(text="ошибка")
    message = written["message_ids"][0]

    assert (await world.control("DELETE", f"/messages/{message}")).status_code == 200
    await settle()

    assert [(v["id"], v["type"], v["content"]) for v in world.receiver.values][1:] == [
        (message, "deleted", {})
    ]


async def test_the_shops_deletion_is_pushed_too_and_once(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]
    sent = (await world.send(chat, "ошибка")).json()["id"]
    for _ in range(2):
        assert (await world.api("POST", f"{chat_path(chat)}/messages/{sent}")).status_code == 200
    await settle()

    assert [value["type"] for value in world.receiver.values] == ["text", "text", "deleted"]


async def test_text_photo_and_voice_are_separate_pushes_in_order(world: World) -> None:
    written = await world.write(text="вот", image=True, voice=True)

    assert [value["type"] for value in world.receiver.values] == ["text", "image", "voice"]
    assert [value["id"] for value in world.receiver.values] == written["message_ids"]


@pytest.mark.parametrize(
    "kind", ["link", "item", "location", "call", "system", "deleted", "appCall", "file", "video"]
)
async def test_every_type_of_the_contract_can_be_written(world: World, kind: str) -> None:
    await world.write(type=kind)

    [value] = world.receiver.values
    assert value["type"] == kind
    assert (value["content"] == {}) == (kind in {"deleted", "appCall", "file", "video"})


async def test_content_can_be_given(world: World) -> None:
    content = {"location": {"lat": 1.5, "lon": 2.5, "title": "тут", "text": "тут", "kind": "area"}}
    await world.write(type="location", content=content)

    assert world.receiver.values[0]["content"] == content


async def test_system_messages_and_avitos_own_chats_have_no_author(world: World) -> None:
    await world.write(type="system")
    await world.write(text="Новости Avito", chat_type="a2u")

    assert [(v["author_id"], v["chat_type"]) for v in world.receiver.values] == [(0, "u2i"), (0, "a2u")]


async def test_a_chat_between_people_has_no_ad(world: World) -> None:
    await world.write(text="лично", chat_type="u2u")

    assert [(v["chat_type"], v["item_id"]) for v in world.receiver.values] == [("u2u", None)]


async def test_subscribing_twice_is_one_subscription(world: World) -> None:
    await world.subscribe()
    await world.subscribe("https://other.test/hook")

    listed = (await world.api("POST", "/messenger/v1/subscriptions")).json()
    await world.write(text="ау")

    assert listed == {
        "subscriptions": [{"url": HOOK, "version": "3"}, {"url": "https://other.test/hook", "version": "3"}]
    }
    assert sorted(str(request.url) for request in world.receiver.requests) == [
        HOOK,
        "https://other.test/hook",
    ]


async def test_after_unsubscribing_nothing_comes(world: World) -> None:
    async def unsubscribe(url: str) -> httpx.Response:
        return await world.api("POST", "/messenger/v1/webhook/unsubscribe", json={"url": url})

    assert (await unsubscribe(f"{HOOK}/")).status_code == 404
    assert (await unsubscribe(HOOK)).json() == {"ok": True}
    await world.write(text="ау")
    assert world.receiver.requests == []


@pytest.mark.parametrize(
    "url", [None, 5, "", "shop.test/hook", "ftp://shop.test", "http://", "http://[", "http://a:x"]
)
async def test_a_subscription_needs_a_web_address(world: World, url: object) -> None:
    assert (await world.api("POST", "/messenger/v3/webhook", json={"url": url})).status_code == 400


async def test_a_failed_push_is_repeated_after_1_5_and_30_seconds(world: World) -> None:
    world.receiver.statuses = [500, 204, httpx.ConnectError("refused"), 200]
    await world.write(text="ау")

    counts = [len(world.receiver.requests)]
    for pause in (0.9, 0.1, 5, 29, 1, 100):
        await world.time.pass_(pause)
        counts.append(len(world.receiver.requests))

    assert counts == [1, 1, 2, 3, 3, 4, 4]
    assert len({push["id"] for push in world.receiver.pushes}) == 1
    log = await world.deliveries()
    assert [(line["attempt"], line["status"]) for line in log] == [(1, 500), (2, 204), (3, None), (4, 200)]
    assert "refused" in log[2]["error"]


async def test_after_the_last_retry_a_push_is_given_up(world: World) -> None:
    world.receiver.statuses = [500] * 9
    await world.write(text="ау")
    await world.time.pass_(1000)

    assert len(world.receiver.requests) == 4


async def test_an_answer_that_is_late_counts_as_none(world: World) -> None:
    world.receiver.statuses = [httpx.ReadTimeout("late")]
    await world.write(text="ау")
    await world.time.pass_(1)

    assert [line["status"] for line in await world.deliveries()] == [None, 200]


async def test_a_chat_waits_for_its_own_failed_push_and_others_do_not(world: World) -> None:
    world.receiver.statuses = [500]
    await world.write(text="первое")
    await world.write(text="второе")
    await world.write("Борис", text="другой")
    assert world.receiver.texts == ["первое", "другой"]

    await world.time.pass_(1)
    assert world.receiver.texts == ["первое", "другой", "первое", "второе"]


async def test_the_delivery_log_can_be_cut_to_its_last_lines(world: World) -> None:
    for text in ("раз", "два"):
        await world.write(text=text)

    [line] = (await world.control("GET", "/deliveries?last=1")).json()["deliveries"]
    assert line["id"] == world.receiver.pushes[-1]["id"]
    assert len(await world.deliveries()) == 2
    assert (await world.control("GET", "/deliveries?last=all")).status_code == 422
