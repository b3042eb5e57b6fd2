"""Messengers that misbehave for a while, one after the other, by the sandbox's switches."""

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any

import httpx

from tests.chaos.plan import MESSENGERS
from tests.system import System

FAULTS: dict[str, dict[str, Any]] = {
    "429": {"rate_limit": {"calls": 4, "retry_after": 1}},
    "500": {"error": {"calls": 3, "status": 500}},
    "slow": {"slow": 0.5},
    "dropped after storing": {"drop_after_storing": 2},
    "delivered twice": {"duplicate": 2},
    "out of order": {"reorder": True},
    "late": {"delay": 1.0},
}
_LASTS, _BETWEEN = 4.0, 1.0


class Weather:
    """`met` counts the faults that were switched on."""

    def __init__(self, system: System, http: httpx.AsyncClient, seed: int) -> None:
        self._url = system.url("sandbox") + "/control"
        self._http = http
        self._drawn = random.Random(seed)  # noqa: S311  # a storm that can be repeated
        self.met: Counter[str] = Counter()

    async def rage(self) -> None:
        """Until cancelled."""
        while True:
            messenger, fault = self._drawn.choice(MESSENGERS), self._drawn.choice(sorted(FAULTS))
            with contextlib.suppress(httpx.TransportError):
                switched = await self._http.post(f"{self._url}/{messenger}/faults", json=FAULTS[fault])
                switched.raise_for_status()
                self.met[fault] += 1
                await asyncio.sleep(_LASTS)
                await self._http.delete(f"{self._url}/{messenger}/faults")
            await asyncio.sleep(_BETWEEN)

    async def calm(self) -> None:
        """Everybody behaves."""
        for messenger in MESSENGERS:
            (await self._http.delete(f"{self._url}/{messenger}/faults")).raise_for_status()
