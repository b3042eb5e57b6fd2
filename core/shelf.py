"""Files on offer to vendors that fetch media themselves: an hour in Redis under an unguessable name."""

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from core.channel import MediaFile
from core.echoes import storage_errors
from core.keys import Keys

SHELF_SECONDS = 3_600
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class Shelf:
    """`address` tells where our files are in public, or raises Rejected when there is none."""

    def __init__(self, redis: Redis, keys: Keys, address: Callable[[], str]) -> None:
        self._redis = redis
        self._keys = keys
        self._address = address

    async def offer(self, file: MediaFile) -> MediaFile:
        """The same file with its public address. Raises Rejected, StorageDown."""
        address, token = self._address(), secrets.token_urlsafe(32)
        key = self._keys.shelf(token)
        fields: dict[Any, Any] = {"content": file.content, "type": file.media_type, "name": file.name}
        with storage_errors():
            async with self._redis.pipeline(transaction=True) as transaction:
                transaction.hset(key, mapping=fields)
                transaction.expire(key, SHELF_SECONDS)
                await transaction.execute()
        return replace(file, url=f"{address}/out/{token}")

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
