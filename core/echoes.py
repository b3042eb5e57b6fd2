"""Telling our own echoes from an operator's words: vendors push back every message of the account.

Before a send its fingerprint is registered for the chat, because the echo may overtake the vendor's answer;
after it the vendor's id is. The inbox (core/inbox.py) drops what matches; the rest was typed by a person.

Pictures and files cannot be compared: the mark of each is its kind. An operator's picture that arrives while
ours is uploaded is therefore held for the moment, and queued as soon as the vendor's answer shows that it was
not our echo. Only when that answer never comes is it taken for the echo.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import get_args

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.capabilities import MediaKind
from core.channel import Channel
from core.errors import ChannelError, OutcomeUnknown, StorageDown
from core.ids import ChatId, MessageId
from core.keys import Keys
from core.scripts import load_script

#: What a Redis that is away, loading, full or read-only raises.
REDIS_AWAY = (RedisError, OSError)

IMAGE_FINGERPRINT: MediaKind = "image"
_KINDS = frozenset(get_args(MediaKind))
PENDING_SECONDS = 120
REMEMBER_SECONDS = 2 * 24 * 3600


def fingerprint(text: str) -> str:
    """The same for the same words, however the vendor treats whitespace."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@contextmanager
def storage_errors() -> Iterator[None]:
    """A Redis that does not answer becomes StorageDown."""
    try:
        yield
    except REDIS_AWAY as error:
        raise StorageDown(f"Redis does not answer ({type(error).__name__}).") from error


class Expected:
    """A send under way; tell it the vendor's id as soon as there is one."""

    def __init__(self, echoes: "Echoes", channel: Channel) -> None:
        self._echoes = echoes
        self._channel = channel
        self.message_id: MessageId | None = None

    async def sent(self, message_id: MessageId, *, by: str = "1") -> None:
        """The vendor took the message; `by` names the send, for Echoes.senders_of."""
        self.message_id = message_id
        await self._echoes.remember(self._channel, message_id, by=by)


class Echoes:
    """What this system has sent or is sending, over all replicas."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._settle = load_script(redis, "sending_settle")

    @asynccontextmanager
    async def expecting(
        self, channel: Channel, chat_id: ChatId, mark: str, *, by: str = "", again: bool = False
    ) -> AsyncIterator[Expected]:
        """Around the vendor call: an echo with this fingerprint is ours, also before the call returns.

        `by` names the send; repeated with the same name it expects one echo only. StorageDown before the call
        when it cannot be registered. After OutcomeUnknown (or a crash) the fingerprint stays for two minutes:
        the echo may still come. So may that of an earlier try when this is one `again` and it is refused.
        """
        by = by or secrets.token_hex(8)
        await self._register(channel, chat_id, mark, by)
        expected = Expected(self, channel)
        try:
            yield expected
        except OutcomeUnknown:
            raise
        except ChannelError:
            if not again:
                await self.settle(channel, chat_id, mark, by=by)
            raise
        else:
            await self.settle(channel, chat_id, mark, by=by, message_id=expected.message_id)

    async def remember(self, channel: Channel, message_id: MessageId, *, by: str) -> None:
        """The account's message with this id is ours."""
        key = self._keys.sent(channel.name, channel.account, message_id)
        with storage_errors():
            await self._redis.set(key, by, ex=REMEMBER_SECONDS)

    async def senders_of(self, channel: Channel, ids: Sequence[MessageId]) -> list[str]:
        """Which send each message came from; "" for one that we know nothing of."""
        if not ids:
            return []
        keys = [self._keys.sent(channel.name, channel.account, one) for one in ids]
        with storage_errors():
            stored = await self._redis.mget(keys)
        return [_text(value) for value in stored]

    async def settle(
        self, channel: Channel, chat_id: ChatId, mark: str, *, by: str, message_id: MessageId | None = None
    ) -> None:
        """The send `by` is decided: its message is `message_id`, or there is none. Never raises."""
        keys = [self._pending(channel, chat_id), self._keys.incoming.source]
        try:
            tells_little = "1" if mark in _KINDS else ""
            queued = await self._settle(keys=keys, args=[mark, by, message_id or "", tells_little])
        except REDIS_AWAY:  # the mark goes by itself after two minutes
            structlog.get_logger().warning("echo_mark_left", channel=channel.name, account=channel.account)
            return
        if queued:
            structlog.get_logger().info("operator_told_from_echo", channel=channel.name, messages=queued)

    async def _register(self, channel: Channel, chat_id: ChatId, mark: str, by: str) -> None:
        key = self._pending(channel, chat_id)
        with storage_errors():
            async with self._redis.pipeline(transaction=True) as transaction:
                transaction.hset(key, f"open:{mark}:{by}", "1")
                transaction.expire(key, PENDING_SECONDS)
                await transaction.execute()

    def _pending(self, channel: Channel, chat_id: ChatId) -> str:
        return self._keys.sending(channel.name, channel.account, chat_id)


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
