"""The inbox as agents see it over HTTP: read and watched in both protocol ages, and as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.shared.exceptions import MCPDeprecationWarning
from redis.asyncio import Redis

from core.bell import Bell
from core.keys import Keys
from orchestrator.turn_events import PATH
from tests.integration.hub_server import agent_of, replica, rest_of
from tests.integration.intake_fixture import connect
from tests.integration.test_resolve_scene import Scene, message, scene

INBOX = "inbox://turns"


class World:
    """Customers who write, and the engines behind them."""

    def __init__(self, here: Scene, redis: Redis) -> None:
        self.here = here
        self._bell = Bell(redis, Keys().bell("turns"))
        self._said = 0

    async def customer(self, chat: str, **more: Any) -> str:
        """A customer has written; the id of the turn that waits now."""
        self.here.now = datetime.now(UTC)
        self._said += 1
        resolved = await self.here.resolve(message(f"m{self._said}", "Я Анна", chat=chat, **more))
        await self._bell.ring()
        return str(resolved.turn_id)


@asynccontextmanager
async def world(redis_url: str, database_url: str) -> AsyncIterator[World]:
    async with scene(database_url) as here, connect(redis_url) as redis:
        yield World(here, redis)


async def _inbox(agent: Client) -> dict[str, Any]:
    [content] = (await agent.read_resource(INBOX)).contents
    read: dict[str, Any] = json.loads(content.text)  # type: ignore[union-attr]  # text, not bytes
    return read


@pytest.mark.promise("mcp")
@pytest.mark.parametrize("age", ["auto", "legacy"])
async def test_an_agent_reads_how_many_wait_and_no_words_of_customers(
    redis_url: str, database_url: str, age: str
) -> None:
    async with (
        world(redis_url, database_url) as here,
        replica(redis_url, database_url) as url,
        agent_of(url, age=age) as agent,
    ):
        empty = await _inbox(agent)
        await here.customer("a")
        await here.customer("b")
        await here.customer("c", channel="vk", account="shop", external_user_id="1")
        full = await _inbox(agent)
        await agent.call_tool("wait_for_turn", {"wait_seconds": 0})
        less = await _inbox(agent)
        listed = [one.uri for one in (await agent.list_resources()).resources]

    assert empty == {"waiting": 0, "since": "", "channels": [], "next_step": ""}
    counted = {(one["channel"], one["account"]): one["waiting"] for one in full["channels"]}
    assert (full["waiting"], counted) == (3, {("avito", "default"): 2, ("vk", "shop"): 1})
    assert full["since"] == full["channels"][0]["since"]
    assert "Анна" not in json.dumps(full, ensure_ascii=False)
    assert (less["waiting"], INBOX in listed) == (2, True)


async def test_who_listens_hears_of_a_turn_that_another_replica_stored(
    redis_url: str, database_url: str
) -> None:
    """subscriptions/listen of 2026-07-28, over the Redis bus."""
    async with (
        world(redis_url, database_url) as here,
        replica(redis_url, database_url) as listened,
        replica(redis_url, database_url),
        agent_of(listened) as agent,
        agent.listen(resource_subscriptions=[INBOX]) as changes,
    ):
        for number in range(3):
            await here.customer(f"c{number}")
            async with asyncio.timeout(10):
                changed = await anext(aiter(changes))
            assert getattr(changed, "uri", "") == INBOX


async def test_a_legacy_client_is_not_promised_what_a_stateless_server_cannot_keep(
    redis_url: str, database_url: str
) -> None:
    """2025 sends updates on a standing stream of a session, and there is none: its clients read, or wait."""
    async with (
        world(redis_url, database_url),
        replica(redis_url, database_url) as url,
        agent_of(url, age="legacy") as agent,
    ):
        resources = agent.server_capabilities.resources
        with pytest.warns(MCPDeprecationWarning), pytest.raises(MCPError, match="Method not found"):
            await agent.session.subscribe_resource(INBOX)

    assert resources is not None
    assert not resources.subscribe


# --- server-sent events -----------------------------------------------------------------------------------


class Events:
    """What a reader of the stream hears."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> dict[str, Any]:
        """The next event; heartbeats are passed over."""
        event: dict[str, str] = {}
        async with asyncio.timeout(15):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name in ("id", "event", "data"):
                    event[name] = value
                if not line and "data" in event:
                    return event | {"data": json.loads(event["data"])}
        raise AssertionError("the stream ended")


@asynccontextmanager
async def reading(url: str, **headers: str) -> AsyncIterator[Events]:
    async with rest_of(url) as http, http.stream("GET", PATH, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = Events(response)
        assert await anext(events._lines) == "retry: 1000"
        yield events


async def test_a_reader_hears_of_each_turn_and_goes_on_where_it_stopped(
    redis_url: str, database_url: str
) -> None:
    async with world(redis_url, database_url) as here, replica(redis_url, database_url) as url:
        async with reading(url) as events:
            first = await here.customer("a")
            heard = await events.next()
        second = await here.customer("b")
        async with reading(url, **{"Last-Event-ID": heard["id"]}) as events:
            missed = await events.next()

    assert (heard["event"], heard["data"]["turn_id"]) == ("turn.ready", first)
    assert set(heard["data"]) == {"turn_id", "channel", "account", "at"}
    assert missed["data"]["turn_id"] == second


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("headers", "status"), [({"X-API-Key": "wrong-key-0123456789"}, 401), ({"Last-Event-ID": "(0"}, 422)]
)
async def test_events_need_a_key_and_a_readable_id(
    redis_url: str, database_url: str, headers: dict[str, str], status: int
) -> None:
    async with world(redis_url, database_url), replica(redis_url, database_url) as url, rest_of(url) as http:
        answer = await http.get(PATH, headers=headers)

    assert answer.status_code == status


async def test_without_a_stream_there_are_no_events(redis_url: str, database_url: str) -> None:
    async with (
        world(redis_url, database_url),
        replica(redis_url, database_url, turns_stream_length=0) as url,
        rest_of(url) as http,
    ):
        assert (await http.get(PATH)).status_code == 404
        assert PATH not in (await http.get("/openapi.json")).json()["paths"]


async def test_a_stopping_hub_lets_go_of_its_readers(redis_url: str, database_url: str) -> None:
    """One that reads, one that listens and one that waits must not hold a process that was told to end."""
    async with asyncio.timeout(8):
        async with world(redis_url, database_url):
            async with replica(redis_url, database_url) as url:
                reader = asyncio.create_task(_read_to_the_end(url))
                waiter = asyncio.create_task(_wait(url))
                await asyncio.wait([reader, waiter], timeout=0.5)
            assert "retry: 1000" in await reader
            assert await waiter == "none"


async def _read_to_the_end(url: str) -> list[str]:
    async with rest_of(url) as http, http.stream("GET", PATH) as response:
        return [line async for line in response.aiter_lines()]


async def _wait(url: str) -> str:
    async with rest_of(url) as http:
        answer = await http.post("/api/turns/wait", json={"wait_seconds": 50})
        return str(answer.json()["status"])


# --- the state of it --------------------------------------------------------------------------------------


async def test_an_operator_sees_whom_the_hub_tells(redis_url: str, database_url: str) -> None:
    """The path of the webhook may be a secret, so the host alone is shown."""
    settings = {
        "agent_webhook_url": "http://127.0.0.1:9/secret-path",
        "agent_webhook_secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    }
    async with (
        world(redis_url, database_url) as here,
        replica(redis_url, database_url, **settings) as url,
        rest_of(url) as http,
    ):
        await here.customer("a")
        told = await _until_failing(http)
        waiting = (await http.get("/api/turns/waiting")).json()

    assert told["agent_webhook"]["host"] == "127.0.0.1:9"
    assert (told["agent_webhook"]["error"], told["agent_webhook"]["enabled"]) == ("ConnectError", True)
    assert "secret-path" not in json.dumps(told)
    assert waiting["waiting"] == 1


async def _until_failing(http: httpx.AsyncClient) -> dict[str, Any]:
    for _ in range(400):
        told: dict[str, Any] = (await http.get("/info")).json()["waking"]
        if told["agent_webhook"]["failing"]:
            return told
        await asyncio.sleep(0.02)
    raise AssertionError("no call of the webhook failed")
