"""Access tokens kept in Redis: replicas share one, and a refreshed one outlives the process."""

import hashlib
import json
import time
from dataclasses import asdict

import structlog
from redis.asyncio import Redis

from core.echoes import REDIS_AWAY
from core.http import MemoryTokenStore, Token, TokenStore
from core.ids import AccountId, ChannelName
from core.keys import Keys


class TokenStores:
    """Makes the token store of each account of a channel."""

    def __init__(self, redis: Redis, keys: Keys, channel: ChannelName) -> None:
        self._redis = redis
        self._keys = keys
        self._channel = channel

    def of(self, account: AccountId, *, seed: str) -> TokenStore:
        """`seed` is the credential the tokens come from: with another one the old tokens are forgotten."""
        mark = hashlib.sha256(seed.encode()).hexdigest()[:16]
        return RedisTokenStore(self._redis, self._keys.token(self._channel, account, mark))


class RedisTokenStore:
    """One account's token; while Redis is away this process goes on with what it holds."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key
        self._held = MemoryTokenStore()

    async def get(self) -> Token | None:
        """The token that any replica stored last."""
        try:
            stored = await self._redis.get(self._key)
        except REDIS_AWAY as error:
            structlog.get_logger().warning("token_store_away", error=type(error).__name__)
            return await self._held.get()
        if stored:
            await self._held.put(Token(**json.loads(stored)))
        return await self._held.get()

    async def put(self, token: Token) -> None:
        """For all replicas; for this one only while Redis is away."""
        await self._held.put(token)
        life_ms = max(1, round((token.expires_at - time.time()) * 1000))
        try:
            await self._redis.set(self._key, json.dumps(asdict(token)), px=life_ms)
        except REDIS_AWAY as error:
            structlog.get_logger().warning("token_store_away", error=type(error).__name__)
