"""Until when each account's history was compared with what arrived, and which replica compares now."""

from redis.asyncio import Redis

from core.channel import Channel
from core.echoes import storage_errors
from core.keys import Keys


class SweepMarks:
    """In Redis, for all replicas. Raises StorageDown."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def claim(self, channel: Channel, *, for_ms: int) -> bool:
        """Whether this replica may sweep the account; nobody else may until then."""
        key = self._keys.watch(channel.name, channel.account, "sweep")
        with storage_errors():
            return bool(await self._redis.set(key, "1", nx=True, px=for_ms))

    async def get(self, channel: Channel) -> int | None:
        """Unix ms; None when the account has never been swept."""
        with storage_errors():
            stored = await self._redis.get(self._keys.swept(channel.name, channel.account))
        return int(stored) if stored else None

    async def set(self, channel: Channel, until_ms: int) -> None:
        """The history up to then has been compared."""
        with storage_errors():
            await self._redis.set(self._keys.swept(channel.name, channel.account), until_ms)
