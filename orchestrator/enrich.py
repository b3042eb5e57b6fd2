"""Facts that a webhook does not carry, asked of the channel when a batch is due: name, ad, links to files.

Bounded in time: a slow or absent vendor costs the turn its facts, never the turn. Nothing is asked that the
channel lacks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import structlog

from core.channel import ChatInfo, MediaLink, Profile
from core.errors import ChannelError
from core.messages import IncomingMessage
from orchestrator.batching import ASKED, ChatContext
from orchestrator.links import unlinked, with_links
from orchestrator.manifests import KnowsManifests, Manifest

#: Calls for one batch at once: an album has ten files, and the vendor a few calls a second.
AT_ONCE = 8

T = TypeVar("T")


class ChannelFacts(Protocol):
    """The part of the channels' client that is read here (orchestrator/channels.py)."""

    @property
    def names(self) -> frozenset[str]: ...

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo: ...

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink: ...

    async def profile(self, channel: str, account: str, user_id: str) -> Profile: ...


class Enriches(Protocol):
    """Completes the messages of one chat; what it learned beside them, or None."""

    async def enrich(
        self, messages: Sequence[IncomingMessage]
    ) -> tuple[list[IncomingMessage], ChatContext | None]: ...


class Enricher:
    """Asks once per batch, for at most `seconds` in all."""

    def __init__(self, channels: ChannelFacts, manifests: KnowsManifests, *, seconds: float) -> None:
        self._channels = channels
        self._manifests = manifests
        self._seconds = seconds

    async def enrich(
        self, messages: Sequence[IncomingMessage]
    ) -> tuple[list[IncomingMessage], ChatContext | None]:
        """The messages of one chat with links that open, and what is known about the chat."""
        first = messages[0]
        if first.channel not in self._channels.names:
            return list(messages), None
        asking = _Asking(first, seconds=self._seconds)
        manifest = await asking.ask("manifest", lambda: self._manifests.of(first.channel))
        if manifest is None:
            return list(messages), None
        context, linked = await asyncio.gather(
            self._context(messages, manifest, asking), self._linked(messages, manifest, asking)
        )
        return linked, context

    async def _context(
        self, messages: Sequence[IncomingMessage], manifest: Manifest, asking: "_Asking"
    ) -> ChatContext | None:
        chat, place = None, asking.place
        if manifest.has("ShowsChats"):
            chat_id = messages[0].external_chat_id
            chat = await asking.ask("chat", lambda: self._channels.chat(*place, chat_id))
        context = _of_chat(chat) if chat else None
        user_id = _nameless(messages)
        if user_id is None or (context and context.client_name) or not manifest.has("KnowsProfiles"):
            return context
        profile = await asking.ask("profile", lambda: self._channels.profile(*place, user_id))
        return _with_profile(context or ChatContext(), profile) if profile else context

    async def _linked(
        self, messages: Sequence[IncomingMessage], manifest: Manifest, asking: "_Asking"
    ) -> list[IncomingMessage]:
        wanted = list(dict.fromkeys(name for message in messages for name in unlinked(message)))
        if not wanted or not manifest.has("ResolvesMedia", "OpensFiles"):
            return list(messages)
        found = await asyncio.gather(*(self._link(name, asking) for name in wanted))
        links = {name: link.url for name, link in zip(wanted, found, strict=True) if link}
        return [with_links(message, links) for message in messages]

    async def _link(self, file_id: str, asking: "_Asking") -> MediaLink | None:
        return await asking.ask("link", lambda: self._channels.media_link(*asking.place, file_id))


class _Asking:
    """The questions about one batch: a few at once, and one end for all of them."""

    def __init__(self, message: IncomingMessage, *, seconds: float) -> None:
        self.place = (message.channel, message.account)
        self._chat = message.external_chat_id
        self._ends = asyncio.get_running_loop().time() + seconds
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._over = False

    async def ask(self, what: str, question: Callable[[], Awaitable[T]]) -> T | None:
        """The answer, or None when there was none in time; once time is up nothing more is asked."""
        if self._over:
            return None
        try:
            async with asyncio.timeout_at(self._ends), self._slots:
                return await question()
        except (ChannelError, TimeoutError) as error:
            self._over = self._over or isinstance(error, TimeoutError)
            structlog.get_logger().warning(
                "fact_missing",
                what=what,
                channel=self.place[0],
                account=self.place[1],
                chat=self._chat,
                reason=getattr(error, "code", "timeout"),
            )
            return None


def _nameless(messages: Sequence[IncomingMessage]) -> str | None:
    """The customer whose name no message tells."""
    if any(message.client_name for message in messages):
        return None
    return next((message.external_user_id for message in messages if message.event in ASKED), None)


def _of_chat(chat: ChatInfo) -> ChatContext:
    return ChatContext(
        client_name=chat.client_name_untrusted,
        ad_id=chat.ad_id,
        ad_title=chat.ad_title_untrusted,
        ad_price=chat.ad_price_untrusted,
        ad_url=chat.ad_url_untrusted,
    )


def _with_profile(context: ChatContext, profile: Profile) -> ChatContext:
    name = profile.name_untrusted or profile.username_untrusted
    return replace(
        context,
        client_name=name,
        client_phone=profile.phone,
        client_username=profile.username_untrusted,
        client_avatar_url=profile.avatar_url,
        client_language=profile.language,
    )
