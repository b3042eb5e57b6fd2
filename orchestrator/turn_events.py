"""GET /api/turns/events: the stream of turns that begin to wait, as server-sent events."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import structlog
from mcp.server.subscriptions import ResourceUpdated, ServerEvent
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from core.auth import Caller, caller_now
from core.clock import Clock
from core.errors import StorageDown
from core.problems import problem
from core.resource_bus import ResourceBus
from orchestrator.announcer import INBOX

log = structlog.get_logger()

PATH = "/api/turns/events"
HEARTBEAT_SECONDS = 10.0
MOST_READERS = 200
_AT_ONCE = 100
#: As Redis answers: ids and fields.
Entries = Any
_CHANGED = ResourceUpdated(uri=INBOX)
_ID = re.compile(r"\d{1,20}-\d{1,20}")


class TurnEvents:
    """Reads the stream for each reader; the bus wakes them. `stop` ends every reader, the end of a reader's
    access token that reader.
    """

    def __init__(
        self,
        redis: Redis,
        stream: str,
        bus: ResourceBus,
        *,
        clock: Clock,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._bus = bus
        self._clock = clock
        self._heartbeat = heartbeat
        self._readers: set[asyncio.Event] = set()
        self._stopped = False

    @staticmethod
    def described() -> dict[str, Any]:
        """For /openapi.json."""
        last = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}
        answers = {"200": {"description": "A stream of turn.ready", "content": {"text/event-stream": {}}}}
        return {
            "get": {
                "operationId": "turn_events",
                "summary": "Turns that begin to wait",
                "parameters": [last],
                "responses": answers,
            }
        }

    def route(self) -> Route:
        """To be served with a key."""
        return Route(PATH, self._endpoint, methods=["GET"])

    def stop(self) -> None:
        """The process ends: readers come back elsewhere, with the id they have read last."""
        self._stopped = True
        for woken in self._readers:
            woken.set()

    async def _endpoint(self, request: Request) -> Response:
        asked = request.headers.get("last-event-id", "").strip()
        if asked and not _ID.fullmatch(asked):
            return problem(422, "invalid", "Last-Event-ID is an id of this stream, such as 1700000000000-0.")
        if len(self._readers) >= MOST_READERS:
            return problem(503, "too_many_readers", "Too many read these events already.", retry_after=5)
        try:
            last = asked or await self._newest()
        except (RedisError, OSError):
            return problem(503, StorageDown.code, "Redis is away; come back soon.", retry_after=1)
        caller = caller_now()
        return StreamingResponse(
            self._events(last, caller),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, last: str, caller: Caller) -> AsyncIterator[str]:
        woken = asyncio.Event()

        def wake(event: ServerEvent) -> None:
            if event == _CHANGED:
                woken.set()

        unsubscribe = self._bus.subscribe(wake)
        self._readers.add(woken)
        try:
            yield "retry: 1000\n\n"
            while not self._stopped and caller.seconds_left(self._clock.now_ms()) > 0:
                woken.clear()
                entries = await self._after(last)
                for number, text in entries:
                    yield text
                    last = number
                patience = min(self._heartbeat, caller.seconds_left(self._clock.now_ms()))
                if not entries and not await self._rang(woken, patience):
                    yield ": nothing new\n\n"
        except (RedisError, OSError):
            log.warning("turn_events_ended", reason="redis_away")  # the reader comes back with its last id
        finally:
            unsubscribe()
            self._readers.discard(woken)

    async def _rang(self, woken: asyncio.Event, patience: float) -> bool:
        try:
            async with asyncio.timeout(patience):
                return await woken.wait()
        except TimeoutError:
            return False

    async def _newest(self) -> str:
        newest: Entries = await self._redis.xrevrange(self._stream, count=1)
        return newest[0][0].decode() if newest else "0-0"

    async def _after(self, last: str) -> list[tuple[str, str]]:
        """The ids of the next entries and how they are sent."""
        found: Entries = await self._redis.xrange(self._stream, min=f"({last}", count=_AT_ONCE)
        return [(number.decode(), _event(number.decode(), fields)) for number, fields in found]


def _event(number: str, fields: dict[bytes, bytes]) -> str:
    facts = {name.decode(): value.decode() for name, value in fields.items()}
    return f"id: {number}\nevent: turn.ready\ndata: {json.dumps(facts)}\n\n"
