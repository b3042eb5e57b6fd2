"""Who watches a resource or a list hears of its change in every replica: through Redis, inside by a call.

It is the MCP SDK's SubscriptionBus. Nothing is replayed: when others were not heard for a while, all that is
watched here is told as changed, so that it is read again.
"""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
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
from core.resource_names import OwnName, as_written

log = structlog.get_logger()

_LISTS: dict[str, ServerEvent] = {
    "tools": ToolsListChanged(),
    "prompts": PromptsListChanged(),
    "resources": ResourcesListChanged(),
}


class ResourceBus:
    """On the wire: {"from": who published, "uri": of a resource} or {"from": …, "list": its name}.

    A resource has one name there, its `own_name`; each watcher is told of it as they wrote it.
    """

    def __init__(self, redis: Redis, key: str, own_name: OwnName = as_written) -> None:
        self._redis = redis
        self._key = key
        self._here = InMemorySubscriptionBus()
        self._name = uuid.uuid4().hex
        self._own_name = own_name
        self._spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def changed(self, *uris: str) -> None:
        """Tell everywhere that these resources, by their own names, are not what they were; here at least."""
        await self._tell([ResourceUpdated(uri=uri) for uri in uris])

    async def told(self, *uris: str) -> None:
        """Tell the same everywhere, or raise: RedisError, OSError; then it is to be told again."""
        events = [ResourceUpdated(uri=uri) for uri in uris]
        await self._tell_others(events)
        for event in events:
            await self._tell_here(event)

    async def publish(self, event: ServerEvent) -> None:
        """Tell the listeners of this process now and those of the others through Redis."""
        await self._tell([event])

    @asynccontextmanager
    async def watched_as(self, *uris: str) -> AsyncIterator[None]:
        """While inside, who listens to one of these is told of it in these very letters."""
        names = [(await self._own_name(uri), uri) for uri in uris]
        for name, uri in names:
            self._spellings[name][uri] += 1
        try:
            yield
        finally:
            for name, uri in names:
                self._spellings[name][uri] -= 1
                self._spellings[name] += Counter()  # without those that nobody writes any more
                if not self._spellings[name]:
                    del self._spellings[name]

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
                try:
                    await (self._tell_all_here() if said is None else self._hear(said))
                except Exception:
                    log.exception("change_not_understood")  # of a newer replica, or of a stranger

    async def _hear(self, said: bytes) -> None:
        told = json.loads(said)
        if told["from"] != self._name:
            await self._tell_here(_read(told))

    async def _tell(self, events: Sequence[ServerEvent]) -> None:
        for event in events:
            await self._tell_here(event)
        try:
            await self._tell_others(events)
        except (RedisError, OSError):
            log.warning("change_not_heard_elsewhere", changes=len(events), **_written(events[0]))

    async def _tell_others(self, events: Sequence[ServerEvent]) -> None:
        if not events:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for event in events:
                pipe.publish(self._key, json.dumps({"from": self._name, **_written(event)}))
            await pipe.execute()

    async def _tell_all_here(self) -> None:
        for name in list(self._spellings):
            await self._tell_here(ResourceUpdated(uri=name))

    async def _tell_here(self, event: ServerEvent) -> None:
        if not isinstance(event, ResourceUpdated):
            await self._here.publish(event)
            return
        for uri in {event.uri, *self._spellings.get(event.uri, ())}:
            await self._here.publish(ResourceUpdated(uri=uri))


def _written(event: ServerEvent) -> dict[str, str]:
    if isinstance(event, ResourceUpdated):
        return {"uri": event.uri}
    return {"list": next(name for name, one in _LISTS.items() if one == event)}


def _read(told: dict[str, str]) -> ServerEvent:
    return ResourceUpdated(uri=told["uri"]) if "uri" in told else _LISTS[told["list"]]
