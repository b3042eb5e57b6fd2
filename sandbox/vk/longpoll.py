"""The long poll (contract §3.7): the envelopes of the callbacks, without a secret, on demand."""

import asyncio
import secrets
from collections import deque
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.timing import Timing
from sandbox.vk.community import Community, Event
from sandbox.vk.errors import wrong
from sandbox.vk.events import envelope, object_of
from sandbox.vk.gate import Call, Method
from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.targets import check_group

KEPT, LONGEST_WAIT = 1000, 90


class LongPoll:
    """Keeps the last events; every type is on, because the contract names no settings for it."""

    def __init__(self, community: Community, settings: VkSandboxSettings, timing: Timing) -> None:
        self._community = community
        self._settings = settings
        self._timing = timing
        self._keys: dict[str, float] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._last = 0
        self._news = asyncio.Event()

    def methods(self) -> dict[str, Method]:
        return {"groups.getLongPollServer": self._server}

    def publish(self, event: Event, event_id: str) -> None:
        shown = envelope(event.type, event_id, self._community.id)
        self._events.append({**shown, "object": object_of(self._community, event)})
        self._last += 1
        self._news.set()
        self._news = asyncio.Event()

    def forget(self) -> None:
        """No key is known any more, which a poll learns by `failed: 2`."""
        self._keys.clear()
        self._events.clear()
        self._last = 0

    def _server(self, call: Call) -> dict[str, Any]:
        check_group(self._community, call.params, needed=True)
        if not self._settings.long_poll:
            wrong("longpoll for this group is not enabled")
        key = secrets.token_hex(20)
        self._keys[key] = self._timing.now() + self._settings.long_poll_key_lives
        return {"key": key, "server": f"{call.here}/longpoll/{self._community.id}", "ts": str(self._last)}

    async def endpoint(self, request: Request) -> Response:
        """`a_check`: the events after `ts`, at once or within `wait` seconds; 1 and 2 name what is stale."""
        if self._timing.now() >= self._keys.get(request.query_params.get("key", ""), 0):
            return JSONResponse({"failed": 2})
        ts = _small(request.query_params.get("ts", ""), -1)
        oldest = self._last - len(self._events)
        if not oldest <= ts <= self._last:
            return JSONResponse({"failed": 1, "ts": self._last})
        if ts == self._last:
            await self._wait(_small(request.query_params.get("wait", ""), 25))
        fresh = list(self._events)[len(self._events) - (self._last - ts) :] if self._last > ts else []
        return JSONResponse({"ts": str(self._last), "updates": fresh})

    async def _wait(self, seconds: int) -> None:
        news = self._news
        async with asyncio.TaskGroup() as either:
            patience = either.create_task(self._end_of_patience(news, min(seconds, LONGEST_WAIT)))
            await news.wait()
            patience.cancel()

    async def _end_of_patience(self, news: asyncio.Event, seconds: int) -> None:
        """Waking one poller early wakes its neighbours too: they poll again."""
        await self._timing.sleep(seconds)
        news.set()


def _small(raw: str, default: int) -> int:
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else default
