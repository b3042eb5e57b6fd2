"""Who watches a resource or a list hears of its change in every replica: through Redis, inside by a call.

It is the MCP SDK's SubscriptionBus. Nothing is replayed: whoever was away reads the resource again.
"""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import structlog
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.background import running
from core.bell import heard

log = structlog.get_logger()

_LISTS: dict[str, ServerEvent] = {
    "tools": ToolsListChanged(),
    "prompts": PromptsListChanged(),
    "resources": ResourcesListChanged(),
}


class ResourceBus:
    """On the wire: {"from": who published, "uri": of a resource} or {"from": …, "list": its name}."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key
        self._here = InMemorySubscriptionBus()
        self._name = uuid.uuid4().hex

    async def changed(self, uri: str) -> None:
        """Tell everywhere that this resource is not what it was."""
        await self.publish(ResourceUpdated(uri=uri))

    async def publish(self, event: ServerEvent) -> None:
        """Tell the listeners of this process now and those of the others through Redis."""
        await self._here.publish(event)
        what = _written(event)
        try:
            await self._redis.publish(self._key, json.dumps({"from": self._name, **what}))
        except (RedisError, OSError):
            log.warning("change_not_heard_elsewhere", **what)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Call `listener` at every change; the returned function ends that."""
        return self._here.subscribe(listener)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear the other processes while inside."""
        async with running(self._listen()):
            yield

    async def _listen(self) -> None:
        async with aclosing(heard(self._redis, self._key)) as words:
            async for said in words:
                told = json.loads(said)
                if told["from"] != self._name:
                    await self._here.publish(_read(told))


def _written(event: ServerEvent) -> dict[str, str]:
    if isinstance(event, ResourceUpdated):
        return {"uri": event.uri}
    return {"list": next(name for name, one in _LISTS.items() if one == event)}


def _read(told: dict[str, str]) -> ServerEvent:
    return ResourceUpdated(uri=told["uri"]) if "uri" in told else _LISTS[told["list"]]
