"""Chats of clients who were erased of late: what a vendor's history shows of them is not noted once more.

One HASH: `salt`, and hashed chats with the time of their erasure (Unix ms). It is there for as long as a
sweep, a spool or a vendor's repeat may bring old words; PostgreSQL remembers for good.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

from core.ids import ChatId
from core.keys import Keys
from core.messages import IncomingMessage

#: Longer than the sweep looks back and than an event is remembered.
REMEMBER_SECONDS = 8 * 24 * 3600
_SALT = "salt"


class Erased:
    """Written by the orchestrator, read by the channels. Errors are those of Redis."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.erased()

    async def note(self, salt: bytes, chats: Iterable[tuple[str, str, str]], at_ms: int) -> None:
        """Remember chats (channel, account, chat id) that were erased then."""
        known: dict[Any, Any] = {_mark(salt, *chat): at_ms for chat in chats}
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hset(self._key, mapping={_SALT: salt.hex()} | known)
            transaction.expire(self._key, REMEMBER_SECONDS)
            await transaction.execute()

    async def without(
        self, channel: str, account: str, said: Mapping[ChatId, IncomingMessage]
    ) -> dict[ChatId, IncomingMessage]:
        """The messages, by chat, but for those from before their chat was erased."""
        salt: Any = await self._redis.hget(self._key, _SALT) if said else None
        if not salt:
            return dict(said)
        marks = [_mark(bytes.fromhex(salt.decode()), channel, account, chat) for chat in said]
        times = await self._redis.hmget(self._key, marks)
        return {
            chat: one
            for (chat, one), at in zip(said.items(), times, strict=True)
            if at is None or one.timestamp.timestamp() * 1000 > int(at)
        }


def _mark(salt: bytes, channel: str, account: str, chat: str) -> str:
    return hashlib.sha256(salt + f"chat|{channel}|{account}|{chat}".encode()).hexdigest()
