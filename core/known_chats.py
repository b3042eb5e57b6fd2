"""Our own list of chats, for vendors that list none: fed by what their webhooks bring.

Per account a ZSET of chats by the time of their last message and a HASH with what is known of each.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis

from core.channel import Arrival, ChatInfo, ChatPage
from core.echoes import storage_errors
from core.erased import Erased
from core.errors import BadCursor, NotFound
from core.ids import AccountId, ChatId
from core.keys import Keys
from core.messages import IncomingMessage

#: Chats remembered per account; the longest silent are forgotten first.
MOST_CHATS = 10_000
#: What says something new of a chat.
_TELLING = frozenset({"message", "postback", "operator_message"})
_LONGEST_WORDS = 200


class KnownChats:
    """The chats of one channel's accounts."""

    def __init__(self, redis: Redis, keys: Keys, channel: str) -> None:
        self._redis = redis
        self._keys = keys
        self._channel = channel
        self._erased = Erased(redis, keys)

    async def note(self, account: AccountId, arrivals: Sequence[Arrival]) -> None:
        """Remember the chats of what arrived, and forget those that ended. Raises StorageDown."""
        ended = {arrival.message.external_chat_id for arrival in arrivals if arrival.ends_chat}
        telling = {
            arrival.message.external_chat_id: arrival.message
            for arrival in sorted(arrivals, key=lambda arrival: arrival.message.timestamp)
            if arrival.message.event in _TELLING and not arrival.ends_chat
        }
        with storage_errors():
            telling = await self._erased.without(self._channel, account, telling)
            if telling:
                await self._remember(account, telling)
            if ended:
                await self._forget(account, sorted(ended))

    async def list_chats(self, account: AccountId, limit: int, cursor: str) -> ChatPage:
        """Newest first; the cursor is an offset. Raises BadCursor for another one, StorageDown."""
        if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 6):
            raise BadCursor
        start = int(cursor or 0)
        with storage_errors():
            ids = await self._redis.zrevrange(
                self._keys.chats(self._channel, account), start, start + limit - 1
            )
            shown = await self._shown(account, [_text(one) for one in ids])
        following = str(start + limit) if len(ids) == limit else ""
        return ChatPage(chats=shown, next_cursor=following)

    async def get_chat(self, account: AccountId, chat_id: ChatId) -> ChatInfo:
        """One chat. Raises NotFound, StorageDown."""
        with storage_errors():
            [chat] = await self._shown(account, [chat_id])
        if not chat.updated_at:
            raise NotFound("Nobody has written in such a chat.", channel=self._channel)
        return chat

    async def lately(self, account: AccountId, since_ms: int, most: int = 100) -> list[ChatId]:
        """Chats with a message since then, newest first."""
        with storage_errors():
            found = await self._redis.zrevrangebyscore(
                self._keys.chats(self._channel, account), "+inf", since_ms, start=0, num=most
            )
        return [ChatId(_text(one)) for one in found]

    async def _remember(self, account: AccountId, telling: dict[ChatId, IncomingMessage]) -> None:
        chats, shown = self._places(account)
        before = {chat.chat_id: chat for chat in await self._shown(account, list(telling))}
        latest = {chat: round(one.timestamp.timestamp() * 1000) for chat, one in telling.items()}
        told = {chat: _told(before[chat], one).model_dump_json() for chat, one in telling.items()}
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.zadd(chats, {str(chat): at for chat, at in latest.items()}, gt=True)
            transaction.hset(shown, mapping={str(chat): text for chat, text in told.items()})
            transaction.zrange(chats, 0, -MOST_CHATS - 1)
            *_, surplus = await transaction.execute()
        if surplus:
            await self._forget(account, [_text(one) for one in surplus])

    async def _forget(self, account: AccountId, ids: Sequence[str]) -> None:
        chats, shown = self._places(account)
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.zrem(chats, *ids)
            transaction.hdel(shown, *ids)
            await transaction.execute()

    async def _shown(self, account: AccountId, ids: Sequence[str]) -> list[ChatInfo]:
        if not ids:
            return []
        stored = await self._redis.hmget(self._keys.chats_shown(self._channel, account), list(ids))
        return [_read(chat, one) for chat, one in zip(ids, stored, strict=True)]

    def _places(self, account: AccountId) -> tuple[str, str]:
        return self._keys.chats(self._channel, account), self._keys.chats_shown(self._channel, account)


def _told(before: ChatInfo, message: IncomingMessage) -> ChatInfo:
    """What the chat looks like after the message, which may be older than the last one.

    An operator's words tell nothing of the customer.
    """
    known = before.model_dump()
    if message.event != "operator_message":
        known["client_user_id"] = message.external_user_id
        known["client_name_untrusted"] = message.client_name or before.client_name_untrusted
    written_at = message.timestamp.isoformat()
    if written_at >= before.updated_at:
        known |= {"last_message_untrusted": message.text[:_LONGEST_WORDS], "updated_at": written_at}
    return ChatInfo.model_validate(known)


def _read(chat_id: str, stored: bytes | str | None) -> ChatInfo:
    try:
        return ChatInfo.model_validate_json(stored or "")
    except ValidationError:
        return ChatInfo(chat_id=chat_id)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
