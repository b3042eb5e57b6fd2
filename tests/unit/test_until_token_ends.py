"""Who listens with a token hears nothing after its end, and is told that the stream ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated

from core.appeal_tokens import AppealTokens
from core.auth import Bounds, Caller, current_caller
from core.errors import StorageDown
from core.fence import Fence
from core.until_token_ends import UntilTokenEnds
from tests.integration.chats_fixture import ManualClock

pytestmark = pytest.mark.promise("one-conversation")

CASE = "appeal://12"


class Ended:
    """What a fence is told of a token; `away`: so often that cannot be told."""

    def __init__(self) -> None:
        self.ended = False
        self.away = 0
        self.asked = 0

    async def alive(self, _: Bounds) -> bool:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise StorageDown
        return not self.ended


class House:
    """A server on a bus of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ended = Ended()
        self.bus = InMemorySubscriptionBus()
        ends = UntilTokenEnds(Fence((), {}, self.ended.alive), self.clock, look_seconds=0.01)
        self.server = MCPServer("shop", subscriptions=self.bus, middleware=[ends], log_level="ERROR")

    def caller(self, *, left_ms: int, fenced: bool = True) -> Caller:
        bounds = AppealTokens([b"k" * 32], self.clock).bounds("12", "5", [], 60)
        ends = self.clock.now_ms() + left_ms
        return Caller("bot", bounds=replace(bounds, ends_ms=ends) if fenced else None, ends_ms=ends)


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    inside = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(inside)


@pytest.fixture
def house() -> House:
    return House()


async def heard(house: House, caller: Caller, *, then_end: bool = False) -> list[str]:
    """What the holder of a token hears of a change, until the stream ends."""
    found: list[str] = []
    with calling(caller):
        async with (
            asyncio.timeout(20),
            Client(house.server) as client,
            client.listen(resource_subscriptions=[CASE]) as changes,
        ):
            await house.bus.publish(ResourceUpdated(uri=CASE))
            async for change in changes:
                found.append(str(getattr(change, "uri", "")))
                house.ended.ended = then_end
    return found


@pytest.mark.parametrize("fenced", [True, False])
async def test_a_stream_ends_when_the_time_of_its_token_is_over(house: House, *, fenced: bool) -> None:
    """A token of one appeal, and an access token of an authorization server."""
    assert await heard(house, house.caller(left_ms=300, fenced=fenced)) == [CASE]


async def test_a_stream_ends_soon_after_its_token_was_ended(house: House) -> None:
    """Also when that could not be told at first."""
    house.ended.away = 2

    assert await heard(house, house.caller(left_ms=3_600_000), then_end=True) == [CASE]
    assert house.ended.asked >= 3


async def test_a_key_listens_on(house: House) -> None:
    """Nobody is asked whether it lives."""
    with calling(Caller("bot")):
        async with (
            asyncio.timeout(20),
            Client(house.server) as client,
            client.listen(resource_subscriptions=[CASE]) as changes,
        ):
            for _ in range(3):
                await house.bus.publish(ResourceUpdated(uri=CASE))
                assert await anext(changes) == ResourceUpdated(uri=CASE)
    assert house.ended.asked == 0
