"""A vendor's deliveries at the real door: what is queued, what is kept, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from core.channel import ShakesHands, WebhookRequest
from tests.contract.service import served
from tests.contract.vendor_side import (
    VendorSide,
    those_that_push_their_own,
    those_that_push_typing,
    those_with,
)
from tests.integration.chats_fixture import as_text

NONSENSE: list[Any] = [
    None,
    0,
    "text",
    [],
    [{}],
    {"payload": None},
    {"payload": {"value": [1]}},
    {"a": {"b": [[[]]]}},
]


def _pushed(vendor: VendorSide, text: str = "Здравствуйте") -> bytes:
    return json.dumps(vendor.push(text, chat_id=vendor.chats[0])).encode()


async def test_an_authentic_message_is_queued(vendor: VendorSide, redis_url: str, tmp_path: Path) -> None:
    async with served(vendor, redis_url, tmp_path) as door:
        answer = await door.deliver(_pushed(vendor))
        queued = await door.queued()

    assert answer.status_code == 200
    assert [one["text"] for one in queued] == ["Здравствуйте"]


async def test_the_vendor_is_thanked_as_it_wants(vendor: VendorSide, redis_url: str, tmp_path: Path) -> None:
    async with served(vendor, redis_url, tmp_path) as door:
        answer = await door.deliver(_pushed(vendor))

    wanted = "ok" if vendor.channel.capabilities.webhook_answer == "ok" else '{"ok":true}'
    assert answer.text == wanted


@pytest.mark.promise("closed")
async def test_a_forged_message_is_refused_and_nothing_is_queued(
    vendor: VendorSide, redis_url: str, tmp_path: Path
) -> None:
    async with served(vendor, redis_url, tmp_path) as door:
        answer = await door.deliver(_pushed(vendor), authentic=False)
        queued, buried = await door.queued(), await door.buried()

    assert (answer.status_code, queued, buried) == (401, [], [])


@pytest.mark.parametrize("times", [2, 5])
async def test_a_repeat_is_queued_once(
    vendor: VendorSide, redis_url: str, tmp_path: Path, times: int
) -> None:
    body = _pushed(vendor)
    async with served(vendor, redis_url, tmp_path) as door:
        answers = [(await door.deliver(body)).status_code for _ in range(times)]
        queued = await door.queued()

    assert answers == [200] * times
    assert len(queued) == 1


@pytest.mark.promise("typing")
@those_that_push_typing()
async def test_typing_is_passed_on_each_time_and_leaves_no_trace(
    vendor: VendorSide, redis_url: str, tmp_path: Path
) -> None:
    """It may come again at any time: what is remembered as a repeat would be swallowed for a week."""
    body = json.dumps(vendor.push_typing(chat_id=vendor.chats[0])).encode()
    async with served(vendor, redis_url, tmp_path) as door, Redis.from_url(redis_url) as redis:
        answers = [(await door.deliver(body)).status_code for _ in range(3)]
        queued = await door.queued()
        keys = [as_text(key) for key in await redis.keys("*")]
        left = {key for key in keys if not key.startswith(("watch:", "token:"))}

    assert answers == [200] * 3
    assert [(one["event"], one["external_chat_id"], one["text"]) for one in queued] == [
        ("typing", vendor.chats[0], "")
    ] * 3
    assert left == {"queue:incoming"}


async def test_an_unknown_event_is_kept_whole(vendor: VendorSide, redis_url: str, tmp_path: Path) -> None:
    body = json.dumps(vendor.push_of_unknown_kind()).encode()
    async with served(vendor, redis_url, tmp_path) as door:
        answer = await door.deliver(body)
        queued, [letter] = await door.queued(), await door.buried()

    assert (answer.status_code, queued) == (200, [])
    assert letter.raw == vendor.webhook(body, authentic=True).body
    assert letter.reason == "unknown_payload"


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: json.dumps(body))
def test_a_body_that_is_no_push_is_kept_with_a_reason(vendor: VendorSide, body: object) -> None:
    meaning = vendor.channel.normalize(body)

    assert meaning.arrivals == ()
    assert meaning.unknown or meaning.foreign


async def test_a_body_that_is_no_json_is_kept(vendor: VendorSide, redis_url: str, tmp_path: Path) -> None:
    """Only where the vendor proves itself outside the body; the others are refused."""
    async with served(vendor, redis_url, tmp_path) as door:
        answer = await door.deliver(b'{"half": ')
        buried = await door.buried()

    if vendor.channel.capabilities.webhook_authenticity == "secret_in_body":
        assert (answer.status_code, buried) == (401, [])
    else:
        assert (answer.status_code, [letter.payload for letter in buried]) == (200, ['{"half": '])


async def test_a_stranger_who_asks_with_get_learns_nothing(
    vendor: VendorSide, redis_url: str, tmp_path: Path
) -> None:
    async with served(vendor, redis_url, tmp_path) as door:
        answer = await door.client.get(f"/webhook/{door.channel}/{vendor.channel.account}")

    assert answer.status_code in (401, 405)


@those_with(ShakesHands)
def test_a_check_that_proves_nothing_gets_no_handshake(vendor: VendorSide) -> None:
    channel = vendor.channel
    assert isinstance(channel, ShakesHands)
    forged = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "wrong"}
    confirmation = json.dumps({"type": "confirmation", "group_id": 1}).encode()

    assert channel.handshake(WebhookRequest(b"", {}, method="GET", query=forged)) is None
    assert channel.handshake(WebhookRequest(confirmation, {}, secret="wrong")) is None


@those_that_push_their_own()
async def test_an_operators_words_are_queued_as_theirs(
    vendor: VendorSide, redis_url: str, tmp_path: Path
) -> None:
    pushed = vendor.push("Сейчас отвечу", chat_id=vendor.chats[0], own=True)
    async with served(vendor, redis_url, tmp_path) as door:
        await door.deliver(json.dumps(pushed).encode())
        queued = await door.queued()

    assert [(one["event"], one["text"]) for one in queued] == [("operator_message", "Сейчас отвечу")]


@those_with("echoes")
async def test_our_own_echo_is_not_queued(vendor: VendorSide, redis_url: str, tmp_path: Path) -> None:
    async with served(vendor, redis_url, tmp_path) as door:
        sent = await door.ask("POST", "/api/messages/send", chat_id=vendor.chats[0], text="Готово")
        [message_id] = sent.json()["message_ids"]
        answer = await door.deliver(json.dumps(vendor.push_of(message_id)).encode())
        queued = await door.queued()

    assert (answer.status_code, queued) == (200, [])


async def test_health_is_alive_while_the_vendor_is_down(
    vendor: VendorSide, redis_url: str, tmp_path: Path
) -> None:
    vendor.close_door()
    async with served(vendor, redis_url, tmp_path) as door:
        health = await door.client.get("/health")
        delivered = await door.deliver(_pushed(vendor))
        queued = await door.queued()

    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert (delivered.status_code, len(queued)) == (200, 1)
