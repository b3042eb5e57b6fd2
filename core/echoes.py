"""Telling our own echoes from an operator's words: vendors push back every message of the account.

Before a send its fingerprint is registered for the chat, because the echo may overtake the vendor's answer;
after it the vendor's id is. The inbox (core/inbox.py) drops what matches; the rest was typed by a person.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.channel import Channel
from core.errors import ChannelError, OutcomeUnknown, StorageDown
from core.ids import ChatId, MessageId
from core.keys import Keys
from core.scripts import load_script

#: What a Redis that is away, loading, full or read-only raises.
REDIS_AWAY = (RedisError, OSError)

IMAGE_FINGERPRINT = "image"
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
    async def expecting(self, channel: Channel, chat_id: ChatId, mark: str) -> AsyncIterator[Expected]:
        """Around the vendor call: an echo with this fingerprint is ours, also before the call returns.

        StorageDown before the call when it cannot be registered. After OutcomeUnknown (or a crash) the
        fingerprint stays for two minutes: the echo may still come.
        """
        await self._register(channel, chat_id, mark)
        expected = Expected(self, channel)
        try:
            yield expected
        except OutcomeUnknown:
            raise
        except ChannelError:
            await self.settle(channel, chat_id, mark)
            raise
        else:
            await self.settle(channel, chat_id, mark, expected.message_id)

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
        self, channel: Channel, chat_id: ChatId, mark: str, message_id: MessageId | None = None
    ) -> None:
        """Nothing is expected any more, unless the echo of `message_id` came already. Never raises."""
        try:
            await self._settle(keys=[self._pending(channel, chat_id)], args=[mark, message_id or ""])
        except REDIS_AWAY:  # the mark goes by itself after two minutes
            structlog.get_logger().warning("echo_mark_left", channel=channel.name, account=channel.account)

    async def _register(self, channel: Channel, chat_id: ChatId, mark: str) -> None:
        key = self._pending(channel, chat_id)
        with storage_errors():
            async with self._redis.pipeline(transaction=True) as transaction:
                transaction.hincrby(key, mark, 1)
                transaction.expire(key, PENDING_SECONDS)
                await transaction.execute()

    def _pending(self, channel: Channel, chat_id: ChatId) -> str:
        return self._keys.sending(channel.name, channel.account, chat_id)


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
