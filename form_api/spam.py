"""Against floods and robots: a token bucket per address, a honeypot and a minimum time to fill a form."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis

from core.clock import Clock
from core.echoes import REDIS_AWAY
from core.keys import Keys
from core.ratelimit import TokenBucket

ADDRESSES_IN_MEMORY = 10_000
REDIS_REST_MS = 5_000


def looks_automatic(given: Mapping[str, Any], *, honeypot: str, fill_seconds: float, now_ms: int) -> bool:
    """Whether a robot filled the form: the hidden field, or faster than anybody types.

    A page whose clock runs ahead of ours seems to send before it was shown: that proves nothing.
    """
    if honeypot and str(given.get(honeypot) or "").strip():
        return True
    started = str(given.get("started_at", "")).strip()
    return started.isdecimal() and 0 <= now_ms - int(started[:16]) < fill_seconds * 1000


class Limit(Protocol):
    """How often an address may submit."""

    async def wait_for(self, address: str) -> float:
        """Seconds until the address may submit; 0 when it may now, and this one is counted."""


class MemoryLimit:
    """Buckets of this process; the addresses seen longest ago are forgotten first."""

    def __init__(self, *, per_minute: float, burst: int, clock: Clock) -> None:
        self._rate, self._burst, self._clock = per_minute / 60, burst, clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    async def wait_for(self, address: str) -> float:
        bucket = self._buckets.pop(address, None) or TokenBucket(self._rate, self._burst, self._seconds)
        self._buckets[address] = bucket
        if len(self._buckets) > ADDRESSES_IN_MEMORY:
            self._buckets.popitem(last=False)
        return bucket.reserve(longest=0)

    def _seconds(self) -> float:
        return self._clock.now_ms() / 1000


class SharedLimit:
    """Buckets in Redis, the same for all replicas; while Redis is away each replica counts for itself."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        *,
        per_minute: float,
        burst: int,
        clock: Clock,
        patience: float = 1.0,
    ) -> None:
        script = (files("form_api") / "take_token.lua").read_text("utf-8")
        self._script = redis.register_script(script)
        self._keys = keys
        self._arguments = (max(1, round(60_000 / per_minute)), burst)
        self._clock = clock
        self._patience = patience
        self._memory = MemoryLimit(per_minute=per_minute, burst=burst, clock=clock)
        self._rests_until = 0

    async def wait_for(self, address: str) -> float:
        now = self._clock.now_ms()
        if now < self._rests_until:
            return await self._memory.wait_for(address)
        try:
            async with asyncio.timeout(self._patience):
                wait_ms = await self._script(keys=[self._key(address)], args=[now, *self._arguments])
        except REDIS_AWAY as error:
            structlog.get_logger().warning("redis_away_counting_alone", error=type(error).__name__)
            self._rests_until = now + REDIS_REST_MS
            return await self._memory.wait_for(address)
        return int(wait_ms) / 1000

    def _key(self, address: str) -> str:
        return self._keys.rate(address)
