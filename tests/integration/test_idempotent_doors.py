"""Every door by which a message goes out, in one table: the same key is one message, or a clear conflict.

A key stands for a message within the channel and the account as the caller named them; a reply's key is its
turn. Each door is tried twice with the same words, at once and after a while, and once with others.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx
import pytest
from starlette.applications import Starlette

from core.api import api_routes
from core.attempts import Attempts
from core.channel import MediaFile
from core.channel_operations import Account, ChannelOperations
from core.echoes import Echoes
from core.errors import IdempotencyConflict
from core.ids import DEFAULT_ACCOUNT
from core.observability import Metrics
from core.operations import Operation
from core.sending import Sender
from core.testing import FakeChannelWithEverything
from tests.integration import test_deliver as delivering
from tests.integration import test_hub as at_hub
from tests.integration.chats_fixture import ManualClock
from tests.integration.intake_fixture import KEYS, connect

KEY = "order-7"
#: How an attempt ended.
CONFLICT, FINE = "conflict", "fine"


class Door(Protocol):
    """One way in; `say` sends under one key, `said` counts the messages that go (or went) to a customer."""

    async def say(self, text: str) -> str: ...
    async def said(self) -> int: ...


Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def as_tool(operations: list[Operation]) -> Call:
    """As MCP calls it."""
    named = {one.name: one for one in operations}

    async def call(name: str, given: dict[str, Any]) -> dict[str, Any]:
        return (await named[name].call({**given, "idempotency_key": KEY})).model_dump(mode="json")

    return call


def as_rest(operations: list[Operation]) -> Call:
    """As a program posts it, with the key in the header."""
    paths = {one.name: one.path for one in operations}
    app = Starlette(routes=list(api_routes(operations, Metrics())))
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door")

    async def call(name: str, given: dict[str, Any]) -> dict[str, Any]:
        answer = await http.post(paths[name], json=given, headers={"Idempotency-Key": KEY})
        if answer.status_code == 409 and answer.json()["code"] == IdempotencyConflict.code:
            raise IdempotencyConflict
        assert answer.is_success, answer.text
        return dict(answer.json())

    return call


async def outcome_of(call: Awaitable[dict[str, Any]]) -> str:
    try:
        answer = await call
    except IdempotencyConflict:
        return CONFLICT
    failed = [one["error_untrusted"] for one in answer.get("outcomes", []) if one["error_untrusted"]]
    return CONFLICT if any(one.startswith(IdempotencyConflict.code) for one in failed) else FINE


class HubDoor:
    """send_message or send_bulk of the hub."""

    def __init__(self, agents: at_hub.Agents, call: Call, name: str) -> None:
        self._agents, self._call, self._name = agents, call, name

    async def say(self, text: str) -> str:
        where: dict[str, Any] = {"chat_id": at_hub.CHAT}
        if self._name == "send_bulk":
            where = {"chat_ids": [at_hub.CHAT]}
        return await outcome_of(self._call(self._name, {"channel": "avito", "text": text, **where}))

    async def said(self) -> int:
        return int(await self._agents.here.value("SELECT count(*) FROM outbound"))


class ReplyDoor:
    """The reply to one turn."""

    def __init__(self, agents: at_hub.Agents, turn: dict[str, Any]) -> None:
        self._agents, self._turn = agents, turn

    async def say(self, text: str) -> str:
        answer = await self._agents.reply(self._turn, text)
        return CONFLICT if answer["next_step"].startswith("Conflict") else FINE

    async def said(self) -> int:
        return int(await self._agents.here.value("SELECT count(*) FROM outbound"))


class ListDoor:
    """RPUSH queue:outgoing."""

    def __init__(self, post: delivering.Post) -> None:
        self._post = post

    async def say(self, text: str) -> str:
        before = len(await self._post.letters())
        given = f'{{"channel":"avito","external_chat_id":"c1","text":"{text}","idempotency_key":"{KEY}"}}'
        await self._post.queue(given.encode())
        await self._post.work()
        new = (await self._post.letters())[before:]
        return CONFLICT if [one.reason for one in new] == [IdempotencyConflict.code] else FINE

    async def said(self) -> int:
        return len(self._post.channels.taken)


class ChannelDoor:
    """A channel's own tools and routes."""

    def __init__(self, channel: FakeChannelWithEverything, call: Call, name: str) -> None:
        self._channel, self._call, self._name = channel, call, name

    async def say(self, text: str) -> str:
        asked: dict[str, dict[str, Any]] = {
            "send_message": {"chat_id": "c1", "text": text},
            "send_bulk": {"chat_ids": ["c1"], "text": text},
            "send_image": {"chat_id": "c1", "image_url": "https://i.example/1.jpg", "caption": text},
            "send_file": {
                "chat_id": "c1",
                "kind": "document",
                "file_url": "https://i.example/1.jpg",
                "caption": text,
            },
        }
        return await outcome_of(self._call(self._name, asked[self._name]))

    async def said(self) -> int:
        return len(self._channel.taken)


@asynccontextmanager
async def at_the_hub(redis_url: str, database_url: str, made: Any, name: str) -> AsyncIterator[Door]:
    async with at_hub.opened(redis_url, database_url) as agents:
        await agents.customer("Здравствуйте")
        yield HubDoor(agents, made(agents.hub.operations()), name)


@asynccontextmanager
async def at_a_turn(redis_url: str, database_url: str, _: Any, __: str) -> AsyncIterator[Door]:
    async with at_hub.opened(redis_url, database_url) as agents:
        await agents.customer("Здравствуйте")
        yield ReplyDoor(agents, await agents.turn())


@asynccontextmanager
async def at_the_list(redis_url: str, database_url: str, _: Any, __: str) -> AsyncIterator[Door]:
    async with delivering.opened(redis_url, database_url) as post:
        yield ListDoor(post)


@asynccontextmanager
async def at_a_channel(redis_url: str, _: str, made: Any, name: str) -> AsyncIterator[Door]:
    clock = ManualClock()
    async with connect(redis_url) as redis:
        channel = FakeChannelWithEverything(clock=clock)
        sender = Sender(channel, Attempts(redis, KEYS, clock), Echoes(redis, KEYS))
        accounts = {DEFAULT_ACCOUNT: Account(channel, sender)}
        operations = ChannelOperations("Fake", accounts, channel.capabilities, fetch_picture).all()
        yield ChannelDoor(channel, made(operations), name)


async def fetch_picture(url: str, kind: str, name: str) -> Any:
    return MediaFile(b"\xff\xd8\xff\xe0" + b"0" * 20, media_type="image/jpeg", name="i.jpg", url=url)


DOORS = [
    pytest.param(at_the_hub, as_tool, "send_message", id="hub tool send_message"),
    pytest.param(at_the_hub, as_rest, "send_message", id="hub REST send_message"),
    pytest.param(at_the_hub, as_tool, "send_bulk", id="hub tool send_bulk"),
    pytest.param(at_the_hub, as_rest, "send_bulk", id="hub REST send_bulk"),
    pytest.param(at_a_turn, None, "", id="hub reply"),
    pytest.param(at_the_list, None, "", id="queue:outgoing"),
    *(
        pytest.param(at_a_channel, way, name, id=f"channel {kind} {name}")
        for name in ("send_message", "send_image", "send_file", "send_bulk")
        for way, kind in ((as_tool, "tool"), (as_rest, "REST"))
    ),
]


@pytest.mark.promise("idempotent")
@pytest.mark.parametrize(("door", "way", "name"), DOORS)
async def test_one_key_is_one_message_or_a_conflict(
    redis_url: str, database_url: str, door: Any, way: Any, name: str
) -> None:
    async with door(redis_url, database_url, way, name) as at:
        first = [await at.say("да"), await at.say("да")]
        count = await at.said()
        other = await at.say("нет")

        assert (first, count) == ([FINE, FINE], 1)
        assert (other, await at.said()) == (CONFLICT, 1)
