"""What clients of 2025 watch on a connection that lasts, they are told of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated
from mcp.types import ResourceUpdatedNotification

from core.old_subscriptions import OldSubscriptions


class Bus(InMemorySubscriptionBus):
    """Of this process; its resources have one name each."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[str] = []

    @asynccontextmanager
    async def watched_as(self, *uris: str) -> AsyncIterator[None]:
        self.watched += uris
        yield
        for uri in uris:
            self.watched.remove(uri)


@pytest.mark.promise("foreign-clients")
@pytest.mark.filterwarnings("ignore:resources/:mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_client_of_2025_hears_of_what_it_watches_until_it_leaves() -> None:
    """tests/conformance shows the same with clients of other makes."""
    bus, heard = Bus(), asyncio.Queue[str]()
    server = MCPServer("shop", subscriptions=bus, log_level="WARNING")
    watched = OldSubscriptions(bus)
    watched.add_to(server)

    async def hear(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await heard.put(message.params.uri)

    async with watched.telling(), Client(server, mode="legacy", message_handler=hear) as client:
        await client.session.subscribe_resource("shop://a")
        await client.session.subscribe_resource("shop://b")
        await client.session.unsubscribe_resource("shop://b")
        for uri in ("shop://b", "shop://c", "shop://a"):
            await bus.publish(ResourceUpdated(uri=uri))
        async with asyncio.timeout(10):
            assert await heard.get() == "shop://a"
        assert bus.watched == ["shop://a"]
