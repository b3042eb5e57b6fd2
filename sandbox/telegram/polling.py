"""getUpdates: one poller at a time, none beside a webhook (contract §2.5)."""

import asyncio
import json
from typing import Any

from sandbox.telegram.calls import Call
from sandbox.telegram.courier import Deliveries
from sandbox.telegram.errors import conflict
from sandbox.telegram.gate import Method
from sandbox.telegram.updates import Updates
from sandbox.timing import Timing

LONGEST_WAIT = 50
HELD = 3
LARGEST_ANSWER = 4 * 1024 * 1024
OTHER_POLLER = "terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_ACTIVE = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


class Polling:
    def __init__(self, timing: Timing, updates: Updates, deliveries: Deliveries) -> None:
        self._timing = timing
        self._updates = updates
        self._deliveries = deliveries
        self._poller = asyncio.Event()
        self._last_offset: int | None = None
        self._last_at = float("-inf")
        self._refused_at = float("-inf")
        updates.listen(lambda _: self._poller.set())

    def methods(self) -> dict[str, Method]:
        return {"getUpdates": self._get}

    async def _get(self, call: Call) -> Any:
        self._poller.set()
        self._poller = mine = asyncio.Event()
        await self._check_webhook()
        offset = call.integer("offset")
        limit, wait = self._window(call, offset)
        self._updates.allow(call.structure("allowed_updates"))
        waiting = self._updates.confirm(offset)
        if not waiting and wait:
            await self._wait(mine, wait)
            if self._poller is not mine:
                conflict(OTHER_POLLER)
            await self._check_webhook()
            waiting = self._updates.confirm(offset)
        return _cut([update.view() for update in waiting[:limit]])

    def _window(self, call: Call, offset: int) -> tuple[int, int]:
        """Limit and seconds to wait; asking again for the same too soon is held and cut short."""
        given = call.integer("limit", 100)
        limit = given if 1 <= given <= 100 else 100
        wait = min(max(call.integer("timeout"), 0), LONGEST_WAIT)
        since = self._timing.now() - self._last_at
        if offset == self._last_offset and 0 <= since < HELD:
            wait = max(wait, HELD)
            limit = 1 if since < 0.5 else limit
        self._last_offset, self._last_at = offset, self._timing.now()
        return limit, wait

    async def _check_webhook(self) -> None:
        """409 while a webhook is set; 3 s late when it was said before."""
        if not self._deliveries.hook.url:
            return
        repeated = 0 <= self._timing.now() - self._refused_at < HELD
        self._refused_at = self._timing.now()
        if repeated:
            await self._timing.sleep(HELD)
        conflict(WEBHOOK_ACTIVE)

    async def _wait(self, mine: asyncio.Event, seconds: float) -> None:
        """Until an update comes, another poller comes, or the time is over."""
        tasks = [
            asyncio.ensure_future(mine.wait()),
            asyncio.ensure_future(_slept(self._timing, seconds)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


async def _slept(timing: Timing, seconds: float) -> None:
    await timing.sleep(seconds)


def _cut(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many as fit into about 4 MiB, one at least."""
    fitting: list[dict[str, Any]] = []
    size = 0
    for update in shown:
        size += len(json.dumps(update))
        if fitting and size > LARGEST_ANSWER:
            break
        fitting.append(update)
    return fitting
