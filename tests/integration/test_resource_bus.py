"""Who watches a resource hears of a change in every replica, once; an outage of Redis stops nobody."""

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest
from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from pydantic import SecretStr
from redis.exceptions import RedisError

from core.connections import redis_client
from core.resource_bus import ResourceBus
from core.settings import ServiceSettings
from tests.integration.intake_fixture import connect, line_to

KEY = "changes:test"
INBOX = ResourceUpdated(uri="inbox://turns")


class Watcher:
    """One who watches at a bus, and what they heard."""

    def __init__(self, bus: ResourceBus) -> None:
        self.heard: list[ServerEvent] = []
        self._new = asyncio.Event()
        self.leave = bus.subscribe(self._hear)

    async def hears(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self._new.clear()
                await self._new.wait()

    def _hear(self, event: ServerEvent) -> None:
        self.heard.append(event)
        self._new.set()


async def test_a_change_is_heard_once_by_every_replica(redis_url: str) -> None:
    async with connect(redis_url) as redis, AsyncExitStack() as stack:
        buses = [ResourceBus(redis, KEY) for _ in range(3)]
        watchers = [Watcher(bus) for bus in buses]
        for bus in buses:
            await stack.enter_async_context(bus.listening())
        while (await redis.pubsub_numsub(KEY))[0][1] < len(buses):
            pass

        await buses[0].changed("inbox://turns")
        await buses[1].changed("chat://1")

        for watcher in watchers:
            await watcher.hears(2)
    assert [sorted(getattr(event, "uri", "") for event in one.heard) for one in watchers] == [
        ["chat://1", "inbox://turns"]
    ] * 3


async def test_who_has_left_hears_nothing_more(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        bus = ResourceBus(redis, KEY)
        gone, stays = Watcher(bus), Watcher(bus)
        gone.leave()
        gone.leave()
        await bus.publish(INBOX)

    assert (gone.heard, stays.heard) == ([], [INBOX])


@pytest.mark.promise("conformance")
@pytest.mark.parametrize("event", [ToolsListChanged(), PromptsListChanged(), ResourcesListChanged(), INBOX])
async def test_every_event_of_the_protocol_crosses_to_the_other_replicas(
    redis_url: str, event: ServerEvent
) -> None:
    async with connect(redis_url) as redis:
        bus, other = ResourceBus(redis, KEY), ResourceBus(redis, KEY)
        there = Watcher(other)
        async with other.listening():
            while not (await redis.pubsub_numsub(KEY))[0][1]:
                pass
            await bus.publish(event)
            await there.hears(1)

    assert there.heard == [event]


async def test_while_redis_is_away_those_here_are_told_all_the_same() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with connect(f"redis://127.0.0.1:{port}/0") as redis:
        bus = ResourceBus(redis, KEY)
        watcher = Watcher(bus)
        await bus.publish(INBOX)

    assert watcher.heard == [INBOX]


async def test_who_must_tell_everybody_hears_that_redis_is_away(redis_url: str) -> None:
    """They tell once more then; so nobody is told before all can be."""
    async with line_to(redis_url) as line, connect(line.url) as redis:
        bus = ResourceBus(redis, KEY)
        watcher = Watcher(bus)
        await bus.told(INBOX.uri)
        await line.cut()
        with pytest.raises((RedisError, OSError)):
            await bus.told("chat://1")

    assert watcher.heard == [INBOX]


@pytest.mark.promise("changes")
async def test_whoever_was_deaf_for_a_while_is_told_of_all_that_they_watch(redis_url: str) -> None:
    """Nobody knows what was said meanwhile: all is to be read again, each in the letters of its watcher."""

    async def own_name(uri: str) -> str:
        return uri.lower()

    async with line_to(redis_url) as line, connect(line.url) as redis, connect(redis_url) as elsewhere:
        bus = ResourceBus(redis, KEY, own_name)
        watcher = Watcher(bus)
        async with bus.listening(), bus.watched_as("chat://A", INBOX.uri):
            while not (await elsewhere.pubsub_numsub(KEY))[0][1]:
                pass
            await line.cut()
            await ResourceBus(elsewhere, KEY).changed("chat://a")
            await line.mend()
            await watcher.hears(3)

    heard = {getattr(event, "uri", "") for event in watcher.heard}
    assert heard == {"chat://a", "chat://A", INBOX.uri}


@pytest.mark.parametrize("said", ["no json", "[]", "{}", '{"from": "a newer one", "list": "feelings"}'])
async def test_what_is_not_understood_ends_nothing(redis_url: str, said: str) -> None:
    """A newer replica tells of more than this one knows, and neither may end the other."""
    async with connect(redis_url) as redis:
        bus = ResourceBus(redis, KEY)
        watcher = Watcher(bus)
        async with bus.listening():
            while not await redis.publish(KEY, said):
                pass
            await ResourceBus(redis, KEY).publish(INBOX)
            await watcher.hears(1)

    assert watcher.heard == [INBOX]


async def test_a_service_that_ends_while_it_connects_ends(redis_url: str) -> None:
    """redis-py swallows a cancellation there, and the service waited for ever."""
    settings = ServiceSettings.model_construct(redis_url=SecretStr(redis_url), redis_timeout_seconds=1.0)
    async with asyncio.timeout(30):
        for turns_of_the_loop in range(60):
            redis = redis_client(settings)
            async with redis, ResourceBus(redis, KEY).listening():
                for _ in range(turns_of_the_loop):
                    await asyncio.sleep(0)
