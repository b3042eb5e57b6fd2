"""resources/subscribe of clients of 2025, on a connection that lasts: stdio, not our HTTP.

Clients of 2026 send subscriptions/listen instead, which the SDK serves.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ResourceUpdated, ServerEvent, SubscriptionBus
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from core.background import running


class SpellingBus(SubscriptionBus, Protocol):
    """The part of core/resource_bus.py that is used here."""

    def watched_as(self, *uris: str) -> AbstractAsyncContextManager[None]: ...


class OldSubscriptions:
    """What the one client of this process watches, told as the bus tells it.

    A client that does not read is told once of what has changed meanwhile, however often it did.
    """

    def __init__(self, bus: SpellingBus) -> None:
        self._bus = bus
        self._one_by_one = asyncio.Lock()
        self._watched: dict[str, tuple[ServerSession, AsyncExitStack]] = {}
        self._changed: OrderedDict[str, None] = OrderedDict()
        self._news = asyncio.Event()

    def add_to(self, server: MCPServer) -> None:
        """Serve both requests."""
        lowlevel = server._lowlevel_server  # noqa: SLF001  # MCPServer has no public way in mcp 2.3
        lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Pass changes on while inside."""
        leave = self._bus.subscribe(self._hear)
        try:
            async with running(self._tell()):
                yield
        finally:
            leave()

    async def _subscribe(
        self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams
    ) -> EmptyResult:
        uri = str(params.uri)
        async with self._one_by_one:
            if uri not in self._watched:
                written = AsyncExitStack()
                await written.enter_async_context(self._bus.watched_as(uri))
                self._watched[uri] = (ctx.session, written)
        return EmptyResult()

    async def _unsubscribe(
        self, _: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        async with self._one_by_one:
            if watched := self._watched.pop(str(params.uri), None):
                await watched[1].aclose()
        return EmptyResult()

    def _hear(self, event: ServerEvent) -> None:
        if isinstance(event, ResourceUpdated) and event.uri in self._watched:
            self._changed[event.uri] = None
            self._news.set()

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._changed:
                uri, _ = self._changed.popitem(last=False)
                if watched := self._watched.get(uri):
                    await watched[0].send_resource_updated(uri)
