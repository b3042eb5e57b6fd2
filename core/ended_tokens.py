"""Tokens that ended before their time: one that was taken back, or all of a client who became another.

Kept in Redis, where the hub and the channels look, for as long as a token can live.
"""

from typing import Protocol

from redis.asyncio import Redis

from core.appeal_tokens import LONGEST_SECONDS
from core.auth import Bounds
from core.clock import Clock
from core.echoes import storage_errors
from core.keys import Keys

_KEEP_MS = LONGEST_SECONDS * 1000


class EndsTokens(Protocol):
    """Ends tokens; what Redis does not take is an error, StorageDown."""

    async def end(self, token_id: str) -> None: ...
    async def end_of_clients(self, *client_ids: int) -> None: ...


class EndsNothing:
    """Where no tokens are made."""

    async def end(self, token_id: str) -> None: ...
    async def end_of_clients(self, *client_ids: int) -> None: ...


class EndedTokens:
    """Over all replicas and services. Raises StorageDown."""

    def __init__(self, redis: Redis, keys: Keys, clock: Clock) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock

    async def end(self, token_id: str) -> None:
        """This token opens nothing any more."""
        await self._mark(f"token-{token_id}")

    async def end_of_clients(self, *client_ids: int) -> None:
        """All tokens made so far for cases of these clients open nothing any more."""
        for client_id in client_ids:
            await self._mark(f"client-{client_id}")

    async def has(self, bounds: Bounds) -> bool:
        """Whether the token has ended."""
        names = [self._keys.ended(f"token-{bounds.token_id}"), self._keys.ended(f"client-{bounds.client_id}")]
        with storage_errors():
            token, client = await self._redis.mget(names)
        return token is not None or (client is not None and int(client) >= bounds.made_ms)

    async def _mark(self, name: str) -> None:
        with storage_errors():
            await self._redis.set(self._keys.ended(name), self._clock.now_ms(), px=_KEEP_MS)
