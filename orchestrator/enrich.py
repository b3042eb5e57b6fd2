"""Facts that a webhook does not carry, asked of the channel when a batch is due: name, ad, voice links.

Bounded in time: a slow or absent vendor costs the turn its facts, never the turn.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from core.channel import ChatInfo, MediaLink
from core.errors import ChannelError
from core.messages import IncomingMessage
from orchestrator.batching import ChatContext


class ChannelFacts(Protocol):
    """The part of the channels' client that is read here (orchestrator/channels.py)."""

    @property
    def names(self) -> frozenset[str]: ...

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo: ...

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink: ...


class Enricher:
    """Asks once per batch, for at most `seconds`."""

    def __init__(self, channels: ChannelFacts, *, seconds: float) -> None:
        self._channels = channels
        self._seconds = seconds

    async def enrich(
        self, messages: Sequence[IncomingMessage]
    ) -> tuple[list[IncomingMessage], ChatContext | None]:
        """The messages of one chat with links that open, and what is known about the chat."""
        first = messages[0]
        if first.channel not in self._channels.names:
            return list(messages), None
        linked = asyncio.gather(*(self._with_voice(message) for message in messages))
        context, with_links = await asyncio.gather(self._context(first), linked)
        return with_links, context

    async def _context(self, message: IncomingMessage) -> ChatContext | None:
        try:
            async with asyncio.timeout(self._seconds):
                chat = await self._channels.chat(message.channel, message.account, message.external_chat_id)
        except (ChannelError, TimeoutError) as error:
            _missed("chat", message, error)
            return None
        return ChatContext(
            client_name=chat.client_name_untrusted,
            ad_id=chat.ad_id,
            ad_title=chat.ad_title,
            ad_price=chat.ad_price,
            ad_url=chat.ad_url,
        )

    async def _with_voice(self, message: IncomingMessage) -> IncomingMessage:
        media = message.media
        if media.voice_url or not media.voice_file_id:
            return message
        try:
            async with asyncio.timeout(self._seconds):
                link = await self._channels.media_link(message.channel, message.account, media.voice_file_id)
        except (ChannelError, TimeoutError) as error:
            _missed("voice_link", message, error)
            return message
        return message.model_copy(update={"media": media.model_copy(update={"voice_url": link.url})})


def _missed(what: str, message: IncomingMessage, error: Exception) -> None:
    structlog.get_logger().warning(
        "fact_missing",
        what=what,
        channel=message.channel,
        account=message.account,
        chat=message.external_chat_id,
        reason=getattr(error, "code", "timeout"),
    )
