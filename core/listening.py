"""Who listens names resources in their own way: the bus is told of it while they do."""

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import SubscriptionsListenRequestParams
from pydantic import ValidationError

from core.resource_bus import ResourceBus


class Listening:
    """Middleware of MCP, around subscriptions/listen."""

    def __init__(self, bus: ResourceBus) -> None:
        self._bus = bus

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Called by the SDK around every request."""
        uris = _listened(ctx.params) if ctx.method == "subscriptions/listen" else ()
        if not uris:
            return await call_next(ctx)
        async with self._bus.watched_as(*uris):
            return await call_next(ctx)


def _listened(params: Any) -> tuple[str, ...]:
    try:
        asked = SubscriptionsListenRequestParams.model_validate(params or {})
    except ValidationError:
        return ()  # the SDK says what is wrong
    return tuple(asked.notifications.resource_subscriptions or ())
