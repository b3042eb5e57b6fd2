"""What the replicas of a channel tell each other of an account: who looks after it, how far a sweep came."""

from redis.asyncio import Redis

from core.channel import Channel
from core.echoes import storage_errors
from core.keys import Keys


class AccountMarks:
    """In Redis. Raises StorageDown."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def claim(self, channel: Channel, work: str, *, for_ms: int) -> bool:
        """Whether this replica may do that work on the account now; for so long nobody else may."""
        key = self._keys.watch(channel.name, channel.account, work)
        with storage_errors():
            return bool(await self._redis.set(key, "1", nx=True, px=for_ms))

    async def swept(self, channel: Channel) -> int | None:
        """Unix ms; None when the account has never been swept."""
        with storage_errors():
            stored = await self._redis.get(self._keys.swept(channel.name, channel.account))
        return int(stored) if stored else None

    async def sweep_ended(self, channel: Channel, until_ms: int) -> None:
        """The history up to then has been compared."""
        with storage_errors():
            await self._redis.set(self._keys.swept(channel.name, channel.account), until_ms)
