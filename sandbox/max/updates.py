"""Where updates go: to the webhooks, or, while nobody subscribes, to GET /updates (contract §6)."""

import asyncio
from collections import deque
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.max import queries
from sandbox.max.gate import Gate
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Json
from sandbox.max.webhooks import Webhooks
from sandbox.timing import Timing


@dataclass(frozen=True, slots=True)
class Event:
    number: int
    at: float
    update: Json


class Feed:
    """Takes every update; keeps for 24 hours those that no webhook was there for.

    The marker of an answer is the number of the event to come next, so passing it commits those before it.
    With a subscription the answer is empty at once, without a marker.
    """

    def __init__(self, settings: MaxSandboxSettings, timing: Timing, webhooks: Webhooks) -> None:
        self._settings = settings
        self._timing = timing
        self._webhooks = webhooks
        self._events: deque[Event] = deque()
        self._next = 1
        self._news = asyncio.Event()

    def tell(self, update: Json, *, lane: str, message_id: str = "") -> None:
        if self._webhooks.active:
            self._webhooks.push(update, lane=lane, message_id=message_id)
            return
        self._events.append(Event(self._next, self._timing.now(), update))
        self._next += 1
        self._news.set()
        self._news = asyncio.Event()

    def forget(self) -> None:
        self._events.clear()

    def routes(self, gate: Gate) -> list[Route]:
        async def counted(request: Request) -> Response:
            gate.count("updates", self._settings.polls_per_second)
            return await self._poll(request)

        return [Route("/updates", gate.guard(counted), methods=["GET"])]

    async def _poll(self, request: Request) -> Response:
        """The schema's bounds are checked, the newer limits of §0 cut what lies between."""
        limit = min(queries.within(request, "limit", 100, (1, 1000)), self._settings.poll_most)
        timeout = min(queries.within(request, "timeout", 30, (0, 90)), self._settings.poll_longest)
        marker, types = queries.optional(request, "marker"), set(queries.array(request, "types"))
        if self._webhooks.active:
            return JSONResponse({"updates": []})
        self._drop(marker)
        found = self._found(marker, types)
        if not found and timeout:
            await self._wait(timeout)
            found = self._found(marker, types)
        page = found[:limit]
        following = page[-1].number + 1 if page else self._next
        return JSONResponse({"updates": [event.update for event in page], "marker": following})

    def _drop(self, marker: int | None) -> None:
        """What is committed, and what is older than 24 hours."""
        oldest = self._timing.now() - self._settings.events_live
        while self._events and (self._events[0].number < (marker or 0) or self._events[0].at <= oldest):
            self._events.popleft()

    def _found(self, marker: int | None, types: set[str]) -> list[Event]:
        events = [e for e in self._events if marker is None or e.number >= marker]
        if marker is None and self._settings.without_marker == "latest":
            events = events[-1:]
        return [e for e in events if not types or str(e.update.get("update_type")) in types]

    async def _wait(self, seconds: float) -> None:
        """Until something happens or the time is over."""
        news = self._news
        patience = asyncio.ensure_future(self._timing.sleep(seconds))
        arrival = asyncio.ensure_future(news.wait())
        try:
            await asyncio.wait({patience, arrival}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
            arrival.cancel()
