"""At a channel's own server a token of one appeal opens the chats that stand in it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from core.appeal_tokens import AppealTokens
from core.auth import Caller
from core.channel_fence import OPEN
from core.clock import SystemClock
from core.ended_tokens import EndedTokens
from core.ids import ChatId
from core.keys import Keys
from core.registry import CHANNELS
from core.state_keys import state_keys
from tests.integration.intake_fixture import connect
from tests.integration.test_channel_service import KEY, SHOP, Fetching, serving
from tests.servers import SERVERS

pytestmark = pytest.mark.promise("one-conversation")

OWN, ANOTHERS = "chat-of-anna", "chat-of-boris"
#: What a token does not open: no chat of its own is named, or a message by an id that may be of any chat.
CLOSED = {
    "block_user",
    "delete_message",
    "edit_message",
    "find_chat",
    "get_profile",
    "mark_message_read",
    "may_write",
    "media_link",
    "react",
    "refresh_token",
    "replay_letter",
    "send_bulk",
    "subscribe_webhook",
    "token_status",
    "unsubscribe_webhook",
    "webhook_status",
}
REST: dict[str, Any] = {
    "chat_ids": [ANOTHERS],
    "emoji": "👍",
    "file_id": "f1",
    "image_base64": "/9j/4AAQSkZJRg==",
    "kind": "document",
    "letter_id": "0",
    "message_id": "m1",
    "phone": "+79990001122",
    "text": "слова",
    "url": "https://bot.example/webhook",
    "user_id": ANOTHERS,
}


class Room(Fetching):
    """A messenger with everything, and the chats of two customers."""

    async def get_chat(self, chat_id: ChatId) -> Any:
        found = await super().get_chat(chat_id)
        return found.model_copy(update={"chat_id": chat_id})


def token(*chats: str) -> str:
    keys = state_keys(SecretStr(""), SecretStr(f"operator={KEY}"))
    tokens = AppealTokens(keys)
    bounds = tokens.bounds("12", "5", [("avito", SHOP, chat) for chat in chats], 600)
    return tokens.make(Caller("dispatcher", "agent", "full"), bounds)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
async def service(room: Room, redis_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(room, redis_url, tmp_path) as client:
        yield client


async def call(service: httpx.AsyncClient, one: Any, chat: str, key: str) -> httpx.Response:
    known = {**REST, "chat_id": chat}
    given = {name: known[name] for name in one["arguments"] if name in known}
    inside = {name: value for name, value in given.items() if f"{{{name}}}" in one["path"]}
    rest = {name: value for name, value in given.items() if name not in inside}
    told: dict[str, Any] = {"json": rest} if one["method"] == "POST" else {"params": rest}
    path = one["path"].format(**inside)
    return await service.request(one["method"], path, headers={"X-API-Key": key}, **told)


@pytest.fixture
async def operations(service: httpx.AsyncClient) -> list[dict[str, Any]]:
    """As the service tells them itself."""
    document = (await service.get("/openapi.json")).json()
    return [
        {
            "name": said["operationId"],
            "method": method.upper(),
            "path": path,
            "arguments": [one["name"] for one in said["parameters"]] + list(_body(said)),
        }
        for path, item in document["paths"].items()
        if path.startswith("/api/")
        for method, said in item.items()
    ]


def _body(said: dict[str, Any]) -> dict[str, Any]:
    content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    properties: dict[str, Any] = content.get("schema", {}).get("properties", {})
    return properties


async def test_it_is_decided_of_every_operation_of_every_channel() -> None:
    """A new one is closed until somebody decides otherwise, here and in channel_fence.py."""
    names = {one.name for channel in CHANNELS for one in SERVERS[channel.channel]().operations}

    assert names <= OPEN | CLOSED, names - OPEN - CLOSED
    assert set() == OPEN & CLOSED


async def test_no_operation_reaches_another_chat(
    room: Room, service: httpx.AsyncClient, operations: list[dict[str, Any]]
) -> None:
    """Nor does anything that is not of one chat."""
    assert {"send_message", "delete_message", "list_messages"} <= {one["name"] for one in operations}
    for one in operations:
        if one["name"] in ("list_chats", "channel_capabilities"):
            continue
        answer = await call(service, one, ANOTHERS, token(OWN))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (one["name"], answer.text)
        if one["name"] in CLOSED:
            assert (await call(service, one, OWN, token(OWN))).status_code == 403, one["name"]
    assert (room.calls, room.taken) == (0, [])


async def test_the_tokens_own_chat_is_open(
    service: httpx.AsyncClient, operations: list[dict[str, Any]]
) -> None:
    by_name = {one["name"]: one for one in operations}
    for name in (
        "get_chat",
        "list_messages",
        "mark_read",
        "show_typing",
        "read_conversation",
        "send_message",
    ):
        answer = await call(service, by_name[name], OWN, token(OWN))
        assert answer.status_code == 200, (name, answer.text)


async def test_the_list_shows_the_tokens_own_chats(service: httpx.AsyncClient) -> None:
    answer = await service.get("/api/chats", headers={"X-API-Key": token(OWN, "second")})

    assert [one["chat_id"] for one in answer.json()["chats"]] == [OWN, "second"]
    assert answer.json()["next_cursor"] == ""


async def test_a_quote_could_be_of_another_chat(room: Room, service: httpx.AsyncClient) -> None:
    """Some messengers take the id of a message of any chat: the hub knows whose it is, a channel does not."""
    body = {"chat_id": OWN, "text": "смотрите", "reply_to": "message-of-boris"}

    answer = await service.post("/api/messages/send", json=body, headers={"X-API-Key": token(OWN)})

    assert answer.status_code == 403
    assert room.taken == []


async def test_another_account_has_chats_of_its_own(service: httpx.AsyncClient) -> None:
    """A chat of that id, on an account or a messenger that the token does not name."""
    keys = AppealTokens(state_keys(SecretStr(""), SecretStr(f"operator={KEY}")))
    elsewhere = [("avito", "second", OWN), ("vk", SHOP, OWN)]
    wrong = keys.make(Caller("dispatcher", "agent", "full"), keys.bounds("12", "5", elsewhere, 600))

    assert (await service.get(f"/api/chats/{OWN}", headers={"X-API-Key": wrong})).status_code == 403


@pytest.mark.parametrize("what", ["token", "client"])
async def test_what_ended_at_the_hub_ends_here(service: httpx.AsyncClient, redis_url: str, what: str) -> None:
    """A channel asks no database: a mark in Redis tells it."""
    given = token(OWN)
    headers = {"X-API-Key": given}
    assert (await service.get(f"/api/chats/{OWN}", headers=headers)).status_code == 200
    caller = AppealTokens(state_keys(SecretStr(""), SecretStr(f"operator={KEY}"))).read(given)
    assert caller is not None
    assert caller.bounds is not None
    async with connect(redis_url) as redis:
        ended = EndedTokens(redis, Keys(), SystemClock())
        await (ended.end(caller.bounds.token_id) if what == "token" else ended.end_of_clients(5))

    assert (await service.get(f"/api/chats/{OWN}", headers=headers)).status_code == 403


async def test_other_doors_of_a_channel_are_closed_to_a_token(service: httpx.AsyncClient) -> None:
    for path in ("/info", "/metrics"):
        assert (await service.get(path, headers={"X-API-Key": token(OWN)})).status_code == 403
