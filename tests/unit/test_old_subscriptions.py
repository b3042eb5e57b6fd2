"""What clients of 2025 watch on a connection that lasts, they are told of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from mcp import Client, ClientSession
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp.types import ResourceUpdatedNotification

from core.old_subscriptions import OldSubscriptions

pytestmark = pytest.mark.filterwarnings("ignore:.*:mcp.shared.exceptions.MCPDeprecationWarning")


class Bus(InMemorySubscriptionBus):
    """Of this process; its resources have one name each, found at once while `quick` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[str] = []
        self.quick = asyncio.Event()
        self.quick.set()
        self._told: list[Callable[[ServerEvent], None]] = []

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        self._told.append(listener)
        return super().subscribe(listener)

    def change(self, *names: str) -> None:
        """All in one breath: nobody can be told in between."""
        for name in names:
            for tell in self._told:
                tell(ResourceUpdated(uri=f"shop://{name}"))

    @asynccontextmanager
    async def watched_as(self, *uris: str) -> AsyncIterator[None]:
        await self.quick.wait()
        self.watched += uris
        yield
        for uri in uris:
            self.watched.remove(uri)


class Watcher:
    """A client of 2025 of a shop, and what it hears."""

    def __init__(self, session: ClientSession, heard: asyncio.Queue[str]) -> None:
        self.session = session
        self._heard = heard

    async def watches(self, *names: str) -> None:
        for name in names:
            await self.session.subscribe_resource(f"shop://{name}")

    async def hears(self) -> str:
        async with asyncio.timeout(10):
            return (await self._heard.get()).removeprefix("shop://")


@asynccontextmanager
async def client_of(bus: Bus) -> AsyncIterator[Watcher]:
    heard = asyncio.Queue[str]()
    server = MCPServer("shop", subscriptions=bus, log_level="WARNING")
    watched = OldSubscriptions(bus)
    watched.add_to(server)

    async def hear(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await heard.put(message.params.uri)

    async with watched.telling(), Client(server, mode="legacy", message_handler=hear) as client:
        yield Watcher(client.session, heard)


@pytest.mark.promise("foreign-clients")
async def test_a_client_of_2025_hears_of_what_it_watches_until_it_leaves() -> None:
    """tests/conformance shows the same with clients of other makes."""
    bus = Bus()
    async with client_of(bus) as one:
        await one.watches("a", "b")
        await one.session.unsubscribe_resource("shop://b")
        bus.change("b", "c", "a")

        assert await one.hears() == "a"
        assert bus.watched == ["shop://a"]


async def test_who_subscribes_twice_at_once_leaves_with_one_word() -> None:
    bus = Bus()
    async with client_of(bus) as one:
        bus.quick.clear()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(one.watches("a"))
            await tasks.create_task(one.session.send_ping())  # by its answer both have come
            bus.quick.set()
        twice = list(bus.watched)
        await one.session.unsubscribe_resource("shop://a")

    assert (twice, bus.watched) == (["shop://a"], [])


async def test_what_changes_often_before_it_is_told_is_told_once() -> None:
    """A client that does not read fills no memory."""
    bus = Bus()
    async with client_of(bus) as one:
        await one.watches("a", "b")
        bus.change("a", "a", "b", "a")
        first = [await one.hears(), await one.hears()]
        bus.change("b")

        assert [*first, await one.hears()] == ["a", "b", "b"]
