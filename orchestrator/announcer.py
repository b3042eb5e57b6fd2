"""Tells Redis of turns that wait: an entry of `stream:turns` each, and a word to who watches the inbox."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from core.clock import Clock
from core.resource_bus import ResourceBus
from orchestrator.store import notices
from orchestrator.store.notices import Notice, Way
from orchestrator.store.pool import Pool

INBOX = "inbox://turns"


class Announcer:
    """A Teller. `length` entries are kept, about; 0: none is written."""

    way: Way = "redis"
    at_once = 500
    seconds = 10.0

    def __init__(
        self, pool: Pool, redis: Redis, stream: str, *, length: int, bus: ResourceBus, clock: Clock
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._stream = stream
        self._length = length
        self._bus = bus
        self._clock = clock

    async def willing(self) -> bool:
        """Always: watchers of the inbox come and go."""
        return True

    async def tell(self, told: Sequence[Notice]) -> None:
        """Write the entries, then tell who watches; in this order, so that they find them."""
        if self._length:
            async with self._redis.pipeline(transaction=False) as pipe:
                for notice in told:
                    fields: Any = entry(notice)  # redis-py's types know no dict of str
                    pipe.xadd(self._stream, fields, maxlen=self._length, approximate=True)
                await pipe.execute()
        await self._bus.told(INBOX)
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        await notices.done(self._pool, self.way, told, now=now)


def entry(notice: Notice) -> dict[str, str]:
    """What is told of a turn: no words of a customer."""
    return {
        "turn_id": str(notice.turn_id),
        "channel": notice.channel,
        "account": notice.account,
        "at": notice.since.isoformat(),
    }
