"""Files on offer to vendors that fetch media themselves: some minutes in Redis under an unguessable name.

Redis holds the queues as well, so each process has so many bytes on offer at a time and no more.
"""

import re
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from core.channel import MediaFile
from core.clock import Clock, SystemClock
from core.echoes import storage_errors
from core.errors import RateLimited, StorageDown
from core.keys import Keys

#: Longer than a send waits for its turn and its vendor; a repeat offers the file anew.
SHELF_SECONDS = 600
SHELF_BYTES = 512 * 1024 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class Shelf:
    """`address` tells where our files are in public, or raises Rejected when there is none."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        address: Callable[[], str],
        *,
        clock: Clock | None = None,
        most_bytes: int = SHELF_BYTES,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._address = address
        self._clock = clock or SystemClock()
        self._most_bytes = most_bytes
        #: (when it ends, bytes) of what lies there.
        self._offers: deque[tuple[int, int]] = deque()

    async def offer(self, file: MediaFile) -> MediaFile:
        """The same file with its public address. Raises Rejected, StorageDown; RateLimited while full."""
        address, token = self._address(), secrets.token_urlsafe(32)
        room = self._room_for(len(file.content))
        try:
            await self._store(self._keys.shelf(token), file)
        except StorageDown:
            self._offers.remove(room)
            raise
        return replace(file, url=f"{address}/out/{token}")

    def _room_for(self, size: int) -> tuple[int, int]:
        """Reserved; an empty shelf has room for anything."""
        now = self._clock.now_ms()
        while self._offers and self._offers[0][0] <= now:
            self._offers.popleft()
        if self._offers and sum(known for _, known in self._offers) + size > self._most_bytes:
            wait = (self._offers[0][0] - now) / 1000
            raise RateLimited("Too many files wait for the messenger to fetch them.", retry_after=wait)
        room = (now + SHELF_SECONDS * 1000, size)
        self._offers.append(room)
        return room

    async def _store(self, key: str, file: MediaFile) -> None:
        fields: dict[Any, Any] = {"content": file.content, "type": file.media_type, "name": file.name}
        with storage_errors():
            async with self._redis.pipeline(transaction=True) as transaction:
                transaction.hset(key, mapping=fields)
                transaction.expire(key, SHELF_SECONDS)
                await transaction.execute()

    async def take(self, token: str) -> MediaFile | None:
        """What is on offer under this name, if anything. Raises StorageDown."""
        if not _TOKEN.fullmatch(token):
            return None
        with storage_errors():
            stored: list[Any] = await self._redis.hmget(self._keys.shelf(token), ["content", "type", "name"])
        content, media_type, name = stored
        if content is None:
            return None
        return MediaFile(content, media_type=media_type.decode(), name=name.decode())
