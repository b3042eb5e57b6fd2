"""Several accounts of a channel in one process each: own keys, own paths, own limits, never mixed."""

import itertools
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
import redis

from core.keys import Keys
from launcher.engines import Engines
from tests.e2e.accounts_system import (
    AVITO,
    FIRST,
    INSTAGRAM,
    LIMITED_RATE,
    SECOND,
    SHOP,
    THIRD,
    VK,
    WORKSHOP,
    Place,
    accounts_system,
    instagram_number,
)
from tests.e2e.agent import delivered, reply, turn_of
from tests.e2e.database import select
from tests.e2e.mcp_calls import client
from tests.system import System, patiently

pytestmark = pytest.mark.e2e

CHANNELS = pytest.mark.parametrize("places", [AVITO, VK], ids=["avito", "vk"])
LIMIT = {"rate_limit": {"calls": 1000, "retry_after": 6}}
#: More chats than an orchestrator has workers.
CROWD = 12
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two accounts of Avito, three of VK, two of Instagram."""
    with accounts_system(engines, tmp_path_factory.mktemp("accounts")) as made:
        yield made


@pytest.fixture
def customer(world: System) -> Iterator[str]:
    """Somebody of whom no account has heard; all vendors behave again afterwards."""
    yield f"neighbour-{next(_numbers)}"
    for place in (*AVITO, *VK):
        place.misbehave(world)


@pytest.fixture
def queue(world: System) -> Iterator["redis.Redis"]:
    """The system's own Redis."""
    with redis.Redis.from_url(world.environment("orchestrator")["REDIS_URL"]) as opened:
        yield opened


@pytest.mark.parametrize(
    ("channel", "accounts"),
    [("avito", ["shop", "work-shop"]), ("vk", ["first", "second", "third"]), ("instagram", list(INSTAGRAM))],
)
def test_health_and_info_show_each_account(world: System, channel: str, accounts: list[str]) -> None:
    health = world.get(f"mcp_{channel}", "/health")
    info = world.get(f"mcp_{channel}", "/info")

    assert health["accounts"] == {name: {"healthy": True, "troubles": []} for name in accounts}
    assert list(info["accounts"]) == accounts
    for state in info["accounts"].values():
        assert (state["vendor_up"], state["healthy"], state["troubles"]) == (True, True, [])
        assert state["checked_at"]


@CHANNELS
def test_each_account_subscribes_its_own_path(world: System, places: Sequence[Place]) -> None:
    """At its own vendor, with a secret of its own; the answer shows no secret."""
    for place in places:
        status = world.get(place.service, "/api/webhook/status", account=place.account)

        address = f"{world.url(place.service)}/webhook/{place.channel}/{place.account}/***"
        assert status == {"subscribed": True, "urls": [address]}


@pytest.mark.promise("no-mixing")
@CHANNELS
def test_the_same_chat_of_several_accounts_is_as_many_conversations(
    world: System, customer: str, places: Sequence[Place]
) -> None:
    """The vendors give equal ids; a reply goes to the account that was written to and to no other."""
    written = [place.hears(world, customer, f"Это {customer}, пишу в {place.account}") for place in places]
    turns = [place.turn(world, customer) for place in places]
    for place, turn in zip(places, turns, strict=True):
        reply(world, turn, f"Отвечает {place.account}")

    assert len({one["chat_id"] for one in written}) == 1
    assert {turn["chat_id"] for turn in turns} == {written[0]["chat_id"]}
    for name in ("turn_id", "appeal_id", "client_id"):
        assert len({turn[name] for turn in turns}) == len(places), name
    for place, turn in zip(places, turns, strict=True):
        assert [one["text_untrusted"] for one in turn["messages"]] == [
            f"Это {customer}, пишу в {place.account}"
        ]
        assert place.shown(world, customer) == [f"Отвечает {place.account}"]
    assert [len(place.shown(world, customer)) for place in places] == [1] * len(places)


@pytest.mark.promise("no-mixing")
@CHANNELS
def test_equal_message_ids_of_several_accounts_are_as_many_messages(
    world: System, customer: str, places: Sequence[Place]
) -> None:
    """The simulators need not give equal ids, so we deliver such messages ourselves, each twice."""
    chats = [place.hears(world, customer, f"Привет, {customer}")["chat_id"] for place in places]
    for place in places:
        reply(world, place.turn(world, customer), "Добрый день")
    for place in (*places, *places):
        said = f"Вопрос в {place.account}, {customer}"
        if place.channel == "vk":
            delivery = place.webhook(world, _event(place, chats[0], 900_000_001, said))
        else:
            delivery = place.webhook(
                world, _push(place.number, chats[0], "a" * 32, said), secret=place.secret
            )
        assert delivery.status_code == 200

    ids = set()
    for place in places:
        [message] = place.turn(world, customer)["messages"]
        assert message["text_untrusted"] == f"Вопрос в {place.account}, {customer}"
        ids.add(message["message_id"])
    assert len(ids) == 1


@pytest.mark.promise("no-mixing")
def test_identities_and_appeals_are_kept_per_account(world: System, customer: str) -> None:
    """The same user id in two accounts is two people; closing the case of one leaves that of the other."""
    user = SHOP.hears(world, customer, f"Вопрос, {customer}")["customer_id"]
    WORKSHOP.hears(world, customer, f"Вопрос, {customer}")
    first = {place: place.turn(world, customer) for place in AVITO}
    for turn in first.values():
        reply(world, turn, "Ответ")
    world.post("orchestrator", f"/api/appeals/{first[SHOP]['appeal_id']}/close", {"reason": "done"})
    cases = {place: world.get("orchestrator", f"/api/appeals/{first[place]['appeal_id']}") for place in AVITO}
    assert (cases[SHOP]["status"], cases[WORKSHOP]["status"]) == ("resolved", "waiting_client")
    for place in AVITO:
        place.hears(world, customer, f"Ещё вопрос, {customer}")
    again = {place: place.turn(world, customer) for place in AVITO}

    identities = select(
        world,
        "SELECT account, client_id FROM identities"
        " WHERE channel = 'avito' AND external_user_id = :'user' ORDER BY account",
        user=user,
    )
    assert identities == [["shop", first[SHOP]["client_id"]], ["work-shop", first[WORKSHOP]["client_id"]]]
    assert {place: turn["client_id"] for place, turn in again.items()} == {
        place: turn["client_id"] for place, turn in first.items()
    }
    assert {place: turn["appeal_id"] for place, turn in again.items()} == {
        place: turn["appeal_id"] for place, turn in first.items()
    }
    assert [line["text_untrusted"] for line in again[WORKSHOP]["history"]] == [f"Вопрос, {customer}", "Ответ"]


@pytest.mark.promise("closed")
def test_the_secret_of_one_account_does_not_open_another(
    world: System, queue: "redis.Redis", customer: str
) -> None:
    before = queue.hlen(Keys().dead("webhook:avito")), queue.hlen(Keys().dead("webhook:vk"))
    push = _push(WORKSHOP.number, "u2i-x", uuid.uuid4().hex, customer)
    event = {"type": "message_new", "group_id": SECOND.number, "secret": FIRST.secret, "object": {}}
    answers = [
        WORKSHOP.webhook(world, push, secret=SHOP.secret),
        WORKSHOP.webhook(world, push),
        SECOND.webhook(world, event),
        httpx.post(f"{world.url('mcp_avito')}/webhook/avito/other/{SHOP.secret}", json=push),
        httpx.post(f"{world.url('mcp_avito')}/webhook/avito", json=push),
    ]

    assert [answer.status_code for answer in answers] == [401] * len(answers)
    assert before == (queue.hlen(Keys().dead("webhook:avito")), queue.hlen(Keys().dead("webhook:vk")))


def test_an_event_of_one_account_at_the_door_of_another_is_kept_and_not_queued(
    world: System, queue: "redis.Redis", customer: str
) -> None:
    """An address that was registered at the wrong account must not answer strangers."""
    message_id = uuid.uuid4().hex
    push = _push(SHOP.number, "u2i-x", message_id, customer)

    assert WORKSHOP.webhook(world, push, secret=WORKSHOP.secret).status_code == 200
    letters: Any = queue.hgetall(Keys().dead("webhook:avito"))
    [letter] = [one for one in map(json.loads, letters.values()) if message_id in one["payload"]]
    assert "other_account" in (letter["reason"], letter["detail"])
    assert not queue.exists(Keys().seen("avito", WORKSHOP.account, f"{message_id}:text"))


@pytest.mark.promise("no-mixing")
@CHANNELS
def test_an_idempotency_key_of_one_account_does_not_shadow_that_of_another(
    world: System, customer: str, places: Sequence[Place]
) -> None:
    for place in places:
        chat = place.hears(world, customer, f"Жду, {customer}")["chat_id"]
    bodies = [
        {"chat_id": chat, "text": f"Из {place.account}", "account": place.account, "idempotency_key": "k"}
        for place in places
    ]
    queued = [
        body | {"channel": place.channel, "idempotency_key": "q", "text": f"Очередь {place.account}"}
        for place, body in zip(places, bodies, strict=True)
    ]
    service = places[0].service

    sent = [world.post(service, "/api/messages/send", body) for body in bodies]
    again = [world.post(service, "/api/messages/send", body) for body in bodies]
    accepted = [world.post("orchestrator", "/api/messages/send", body) for body in queued]

    assert [one["duplicate"] for one in sent] == [False] * len(places)
    assert again == [{**one, "duplicate": True} for one in sent]
    assert [one["status"] for one in accepted] == ["queued"] * len(places)
    for place, delivery in zip(places, accepted, strict=True):
        delivered(world, delivery["delivery_id"])
        assert place.shown(world, customer, 2) == [f"Из {place.account}", f"Очередь {place.account}"]


async def test_tools_and_rest_take_the_account_and_name_those_that_exist(
    world: System, customer: str
) -> None:
    chat = WORKSHOP.hears(world, customer, f"Только сюда, {customer}")["chat_id"]
    listed = {
        place: [
            one["chat_id"] for one in world.get("mcp_avito", "/api/chats", account=place.account)["chats"]
        ]
        for place in AVITO
    }
    async with client(world, "mcp_avito") as avito:
        read = await avito.call_tool("list_messages", {"chat_id": chat, "account": "work-shop"})
        unknown = await avito.call_tool("list_messages", {"chat_id": chat, "account": "nobody"})
    url = f"{world.url('mcp_avito')}/api/chats"
    answers = [world.http.get(url, params=query) for query in ({"account": "nobody"}, {})]
    message = {"channel": "avito", "account": "nobody", "chat_id": chat, "text": "Кому?"}
    lost = world.post("orchestrator", "/api/messages/send", message)["delivery_id"]

    assert chat in listed[WORKSHOP]
    assert chat not in listed[SHOP]
    assert f"Только сюда, {customer}" in str(read.structured_content)
    told = [str(unknown.content), *(answer.json()["detail"] for answer in answers)]
    told.append(delivered(world, lost, state="failed")["error_detail_untrusted"])
    assert all("known: shop, work-shop" in one for one in told), told
    assert [answer.status_code for answer in answers] == [404, 404]


def test_each_account_has_limits_of_its_own(world: System) -> None:
    """The third community is set to 5 calls a second, the others to VK's own rate."""
    calls, took = 10, {}
    for place in (FIRST, THIRD):
        started = time.monotonic()
        for _ in range(calls):
            world.get("mcp_vk", "/api/chats", account=place.account, limit=1)
        took[place] = time.monotonic() - started

    assert took[THIRD] >= (calls - 1) / LIMITED_RATE * 0.9
    assert took[FIRST] < took[THIRD]


def test_a_lost_subscription_is_made_again_without_touching_the_others(world: System, customer: str) -> None:
    before = {place.account: _subscribed(world, place) for place in VK}
    SECOND.misbehave(world, unsubscribed=True)
    for _ in patiently(20):
        if _subscribed(world, SECOND) > before["second"]:
            break
    world.await_subscription("mcp_vk")

    after = {place.account: _subscribed(world, place) for place in VK}
    assert after == {**before, "second": before["second"] + 1}
    for place in VK:
        place.hears(world, customer, f"Слышно? {customer}")
        reply(world, place.turn(world, customer), f"Слышно, {place.account}")
        assert place.shown(world, customer) == [f"Слышно, {place.account}"]


@pytest.mark.promise("no-mixing")
def test_one_delivery_with_entries_of_two_accounts_is_split(world: System, customer: str) -> None:
    """Instagram knows one address per app and joins what is for its accounts."""
    world.post("sandbox", "/instagram/_sandbox/hold", {})
    chats = {
        account: world.write(
            customer, "instagram", text=f"Это {customer}", ad=instagram_number(world, account)
        )["chat_id"]
        for account in INSTAGRAM
    }
    world.post("sandbox", "/instagram/_sandbox/release", {"in_one": True})
    turns = {account: turn_of(world, customer, account=account) for account in INSTAGRAM}
    for account, turn in turns.items():
        delivered(world, reply(world, turn, f"Отвечает {account}")["delivery_id"])

    [batch] = [one for one in _deliveries(world, "instagram") if one["type"] == "batch"]
    assert (batch["url"], batch["status"]) == (f"{world.url('mcp_instagram')}/webhook/instagram", 200)
    for account, turn in turns.items():
        assert turn["chat_id"] == chats[account]
        assert len(turn["messages"]) == 1
        path = f"/control/instagram/customers/{customer}/messages"
        seen = world.get("sandbox", path, chat=chats[account])["messages"]
        assert [one["text"] for one in seen if one["direction"] == "out"] == [f"Отвечает {account}"]
    clients = select(world, "SELECT count(DISTINCT client_id) FROM identities WHERE channel = 'instagram'")
    assert clients == [["2"]]


def test_replies_of_one_account_do_not_wait_for_the_limit_of_another(world: System, customer: str) -> None:
    """Not even when there are more limited chats than workers."""
    chats = [SHOP.hears(world, f"{customer}-{number}", "Жду")["chat_id"] for number in range(CROWD)]
    WORKSHOP.hears(world, customer, f"И я жду, {customer}")
    turn = WORKSHOP.turn(world, customer)
    SHOP.misbehave(world, **LIMIT)
    later = [{**_to(SHOP, chat), "text": "Позже"} for chat in chats]
    held = [world.post("orchestrator", "/api/messages/send", body)["delivery_id"] for body in later]
    for _ in patiently(10):
        if sum(_delivery(world, one)["attempts"] for one in held) >= 5:
            break

    started = time.monotonic()
    delivered(world, reply(world, turn, "Сразу")["delivery_id"])
    took = time.monotonic() - started
    waiting = [_delivery(world, one)["state"] for one in held]
    SHOP.misbehave(world)

    assert "sent" not in waiting
    assert took < 4
    for one in held:
        delivered(world, one, seconds=30)
    assert SHOP.shown(world, f"{customer}-0") == ["Позже"]


def test_turns_of_one_account_do_not_wait_for_the_limit_of_another(world: System, customer: str) -> None:
    """Names and ads cannot be asked of the limited one."""
    SHOP.misbehave(world, **LIMIT)
    for number in range(3 * CROWD):
        SHOP.hears(world, f"{customer}-{number}", "Вопрос")
    started = time.monotonic()
    WORKSHOP.hears(world, customer, f"И у меня вопрос, {customer}")
    WORKSHOP.turn(world, customer)

    assert time.monotonic() - started < 6


def _push(account: int, chat: str, message_id: str, words: str) -> dict[str, Any]:
    """What Avito delivers when a customer writes."""
    value = {
        "id": message_id,
        "chat_id": chat,
        "chat_type": "u2i",
        "user_id": account,
        "author_id": 702_000_009,
        "created": int(time.time()),
        "type": "text",
        "content": {"text": words},
    }
    return {"id": f"wh-{message_id}", "version": "v3.0.0", "payload": {"type": "message", "value": value}}


def _event(place: Place, peer: str, number: int, words: str) -> dict[str, Any]:
    """What VK delivers when a customer writes."""
    message = {
        "id": number,
        "conversation_message_id": number,
        "peer_id": int(peer),
        "from_id": int(peer),
        "date": int(time.time()),
        "out": 0,
        "text": words,
        "attachments": [],
    }
    known = {"type": "message_new", "v": "5.199", "event_id": uuid.uuid4().hex}
    return {**known, "group_id": place.number, "secret": place.secret, "object": {"message": message}}


def _to(place: Place, chat: str) -> dict[str, str]:
    return {"channel": place.channel, "account": place.account, "chat_id": chat}


def _delivery(world: System, delivery_id: str) -> dict[str, Any]:
    found: dict[str, Any] = world.get("orchestrator", f"/api/deliveries/{delivery_id}")
    return found


def _subscribed(world: System, place: Place) -> int:
    """How often the watchdog has subscribed this account."""
    return sum(line["account"] == place.account for line in world.logged(place.service, "subscribed"))


def _deliveries(world: System, channel: str) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = world.get("sandbox", f"/control/{channel}/deliveries")["deliveries"]
    return log
