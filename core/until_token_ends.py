"""A stream that a token opened ends with the token: when its time is over, or soon after it was ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.types import SubscriptionsListenResult

from core.auth import Bounds, caller_now
from core.clock import Clock, SystemClock
from core.errors import ChannelError
from core.fence import Fence

log = structlog.get_logger()

#: How often it is asked whether a token was ended before its time.
LOOK_SECONDS = 60.0


class UntilTokenEnds:
    """Middleware of MCP, around subscriptions/listen: the stream ends as if the server stopped."""

    def __init__(
        self, fence: Fence, clock: Clock | None = None, *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._fence = fence
        self._clock = clock or SystemClock()
        self._look_seconds = look_seconds

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Called by the SDK around every request."""
        caller = caller_now()
        if ctx.method != "subscriptions/listen" or caller.ends_ms is None:
            return await call_next(ctx)
        limit = asyncio.timeout(caller.seconds_left(self._clock.now_ms()))
        try:
            async with limit, self._looking(caller.bounds, limit):
                return await call_next(ctx)
        except TimeoutError:
            if not limit.expired():
                raise
        log.info("listening_ended_with_token", caller=caller.name)
        return SubscriptionsListenResult(_meta={SUBSCRIPTION_ID_META_KEY: ctx.request_id})

    @asynccontextmanager
    async def _looking(self, bounds: Bounds | None, limit: asyncio.Timeout) -> AsyncIterator[None]:
        """While inside, the limit is now as soon as the token is found to be ended."""
        if bounds is None:
            yield
            return
        looking = asyncio.create_task(self._look(bounds, limit))
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def _look(self, bounds: Bounds, limit: asyncio.Timeout) -> None:
        while await self._lives(bounds):  # noqa: ASYNC110  # nobody rings when a token ends
            await asyncio.sleep(self._look_seconds)
        limit.reschedule(asyncio.get_running_loop().time())

    async def _lives(self, bounds: Bounds) -> bool:
        try:
            return await self._fence.alive(bounds)
        except ChannelError:  # it cannot be told now
            return True
