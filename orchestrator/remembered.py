"""Facts about chats, remembered for a while: a vendor's few calls a second are for sending."""

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.channel import ChatInfo, MediaLink, Profile
from core.clock import Clock
from core.keys import Keys
from orchestrator.enrich import ChannelFacts
from orchestrator.recent import Recent

REMEMBER_SECONDS = 600


class RememberedFacts:
    """Asks `facts` once per chat and ten minutes. Without Redis, and for media links, it asks every time.

    A profile is asked for only while the chat tells no name; this process remembers it.
    """

    def __init__(self, facts: ChannelFacts, redis: Redis, keys: Keys, clock: Clock) -> None:
        self._facts = facts
        self._redis = redis
        self._keys = keys
        self._profiles: Recent[tuple[str, str, str], Profile] = Recent(clock, seconds=REMEMBER_SECONDS)

    @property
    def names(self) -> frozenset[str]:
        """Channels that can be asked."""
        return self._facts.names

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo:
        """The chat's client and ad; its last message may be ten minutes old."""
        key = self._keys.chat_facts(channel, account, chat_id)
        known = await self._known(key)
        if known is None:
            known = await self._facts.chat(channel, account, chat_id)
            await self._remember(key, known)
        return known

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink:
        """A link that opens now."""
        return await self._facts.media_link(channel, account, file_id)

    async def profile(self, channel: str, account: str, user_id: str) -> Profile:
        """Who a customer is, as the vendor knew them of late."""
        key = (channel, account, user_id)
        known = self._profiles.get(key)
        if known is None:
            known = await self._facts.profile(channel, account, user_id)
            self._profiles.keep(key, known)
        return known

    async def _known(self, key: str) -> ChatInfo | None:
        try:
            stored = await self._redis.get(key)
            return ChatInfo.model_validate_json(stored) if stored else None
        except (RedisError, OSError, ValidationError) as error:
            structlog.get_logger().warning("facts_not_remembered", error=type(error).__name__)
            return None

    async def _remember(self, key: str, chat: ChatInfo) -> None:
        try:
            await self._redis.set(key, chat.model_dump_json(), ex=REMEMBER_SECONDS)
        except (RedisError, OSError) as error:
            structlog.get_logger().warning("facts_not_remembered", error=type(error).__name__)
