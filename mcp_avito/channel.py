"""The Avito channel: the contract of core/channel.py over the client. Glue only."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.account_channel import AccountChannel, answers
from core.auth import same_secret
from core.capabilities import Capabilities, MediaLimit, Rate
from core.channel import (
    Arrival,
    ChatInfo,
    ChatPage,
    MediaFile,
    MediaLink,
    MessagePage,
    Normalized,
    TokenStatus,
    WebhookRequest,
    WebhookStatus,
)
from core.echoes import fingerprint
from core.errors import BadCursor, NotFound, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId
from core.webhook_address import WebhookAddress
from mcp_avito.client import CHANNEL, AvitoClient
from mcp_avito.normalize import Fingerprint, chat_info, chat_messages, lost_messages, normalize
from mcp_avito.schemas import LAST_SECOND, PageMeta
from mcp_avito.settings import AvitoSettings

TEXT_LIMIT = 1_000
IMAGE_TYPES = ("image/jpeg", "image/heic", "image/gif", "image/bmp", "image/png")
IMAGE_MAX_BYTES = 24 * 1024 * 1024
DELETE_WINDOW_SECONDS = 3_600
VOICE_LINK_SECONDS = 3_600
LAST_OFFSET = 1_000
LARGEST_PAGE = 100
BLACKLIST_REASONS = {"spam": 1, "fraud": 2, "insults": 3, "other": 4}

CAPABILITIES = Capabilities(
    text_limit=TEXT_LIMIT,
    media={"image": MediaLimit(types=IMAGE_TYPES, max_bytes=IMAGE_MAX_BYTES)},
    delete_window_seconds=DELETE_WINDOW_SECONDS,
    rates=(Rate(applies_to="every call (ours: Avito publishes none)", calls=1, seconds=1),),
    webhook_authenticity="path_secret",
)


class AvitoChannel(AccountChannel):
    """One Avito account as a channel."""

    def __init__(
        self,
        client: AvitoClient,
        settings: AvitoSettings,
        *,
        account: AccountId = DEFAULT_ACCOUNT,
        fingerprint: Fingerprint = fingerprint,
    ) -> None:
        super().__init__(ChannelName(CHANNEL), account, CAPABILITIES, client)
        self._client = client
        self._fingerprint = fingerprint
        self._secret = settings.webhook_secret.get_secret_value()
        self._address = WebhookAddress(self.name, account, self._secret)

    async def send_text(self, chat_id: ChatId, text: str, *, key: str = "") -> MessageId:
        """There is no idempotency key (§8)."""
        del key
        return MessageId((await self._client.post_send_message(chat_id, text)).id)

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """Upload, then send (§3.6): until the second step nobody sees the picture. There are no captions."""
        del caption, key
        if image.media_type not in IMAGE_TYPES:
            raise Rejected(
                f"Avito takes no {image.media_type}, only {', '.join(IMAGE_TYPES)}.", channel=CHANNEL
            )
        if len(image.content) > IMAGE_MAX_BYTES:
            raise Rejected("The picture is larger than 24 MB.", channel=CHANNEL)
        image_id = await self._client.upload_images(image)
        return MessageId((await self._client.post_send_image_message(chat_id, image_id)).id)

    async def list_chats(self, limit: int, cursor: str) -> ChatPage:
        limit, offset = _page(limit, cursor)
        answer = await self._client.get_chats(limit=limit, offset=offset)
        me = await self._client.user_id()
        chats = [chat_info(chat, me) for chat in answer.chats if chat]
        return ChatPage(chats=chats, next_cursor=_next(answer.meta, offset, len(answer.chats), limit))

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        return chat_info(await self._client.get_chat_by_id(chat_id), await self._client.user_id())

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        limit, offset = _page(limit, cursor)
        answer = await self._client.get_messages(chat_id, limit=limit, offset=offset)
        me = await self._client.user_id()
        messages = chat_messages(answer.messages, me)
        return MessagePage(
            messages=messages, next_cursor=_next(answer.meta, offset, len(answer.messages), limit)
        )

    async def mark_read(self, chat_id: ChatId) -> None:
        await self._client.chat_read(chat_id)

    async def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        try:
            await self._client.delete_message(chat_id, message_id)
        except (Rejected, NotFound) as error:
            rule = "Avito deletes only our own messages, within one hour of sending."
            raise type(error)(f"{error.detail} {rule}", channel=CHANNEL) from error

    async def blacklist(self, user_id: int, reason: str = "other", item_id: int = 0) -> None:
        """Block a customer (§3.7); there is no way back through the API. `item_id` 0 = about no ad."""
        if reason not in BLACKLIST_REASONS:
            raise Rejected(f"The reason must be one of {', '.join(BLACKLIST_REASONS)}.", channel=CHANNEL)
        context = {"reason_id": BLACKLIST_REASONS[reason]} | ({"item_id": item_id} if item_id else {})
        await self._client.post_blacklist([{"user_id": user_id, "context": context}])

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        """Subscribe `url`; our secret is added to an address that ends before it."""
        wanted = self._address.completed(url)
        if wanted not in await self._urls():
            await self._client.post_webhook(wanted)
        urls = await self._urls()
        return WebhookStatus(subscribed=wanted in urls, urls=[self._address.shown(known) for known in urls])

    async def webhook_status(self) -> WebhookStatus:
        """`subscribed` when one of the addresses carries our secret."""
        urls = await self._urls()
        ours = any(self._address.is_ours(url) for url in urls)
        return WebhookStatus(subscribed=ours, urls=[self._address.shown(url) for url in urls])

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        """`url` as registered, without its secret, or as webhook_status shows it."""
        wanted = {url, self._address.completed(url)}
        for known in await self._urls():
            if known in wanted or self._address.shown(known) == url:
                await self._client.post_webhook_unsubscribe(known)
        return await self.webhook_status()

    async def token_status(self) -> TokenStatus:
        token = await self._client.tokens.held()
        if token is None:
            return TokenStatus(valid=False)
        return TokenStatus(valid=True, expires_at=datetime.fromtimestamp(token.expires_at, UTC).isoformat())

    async def refresh_token(self) -> TokenStatus:
        await self._client.tokens.renew(await self._client.tokens.held())
        return await self.token_status()

    async def media_link(self, file_id: str) -> MediaLink:
        """A link to a voice note: opus in mp4, good for one hour (§3.7)."""
        url = (await self._client.get_voice_files([file_id])).get(file_id)
        if not isinstance(url, str) or not url:
            raise NotFound("Avito knows no voice note with this id in our chats.", channel=CHANNEL)
        return MediaLink(url=url, expires_in=VOICE_LINK_SECONDS)

    async def is_up(self) -> bool:
        return await answers(self._client.get_user_info_self())

    def verify(self, request: WebhookRequest) -> bool:
        """Avito signs nothing that can be checked (§6.4): the secret is in the path."""
        return same_secret(self._secret, request.secret)

    def normalize(self, body: Any) -> Normalized:
        return normalize(
            body,
            user_id=self._client.known_user_id,
            account=self._account,
            fingerprint=self._fingerprint,
        )

    async def arrivals_since(self, since: datetime, known: Sequence[ChatId]) -> Sequence[Arrival]:
        """Looks at the newest 100 messages of each of the newest 100 chats; Avito lists its chats itself."""
        del known
        me = await self._client.user_id()
        chats = (await self._client.get_chats(limit=LARGEST_PAGE, offset=0)).chats
        changed = [one for one in chats if one and (one.updated or LAST_SECOND) >= since.timestamp()]
        found: list[Arrival] = []
        for chat in changed:
            rows = (await self._client.get_messages(chat.id, limit=LARGEST_PAGE, offset=0)).messages
            found += lost_messages(chat, rows, me, self._account, self._fingerprint)
        recent = [one for one in found if one.message.timestamp >= since]
        return sorted(recent, key=lambda one: one.message.timestamp)

    async def _urls(self) -> list[str]:
        return [subscription.url for subscription in await self._client.get_subscriptions()]


def _page(limit: int, cursor: str) -> tuple[int, int]:
    """Avito's limit and offset (§1): rows beyond 1,100 cannot be reached. The cursor is the offset."""
    if not cursor:
        return min(max(limit, 1), LARGEST_PAGE), 0
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 4 or int(cursor) > LAST_OFFSET:
        raise BadCursor(channel=CHANNEL)
    return min(max(limit, 1), LARGEST_PAGE), int(cursor)


def _next(meta: PageMeta | None, offset: int, rows: int, limit: int) -> str:
    """The next page's cursor. `has_more` is not in the specification: a full page stands in for it."""
    has_more = meta.has_more if meta and meta.has_more is not None else rows >= limit
    following = offset + rows
    return str(following) if has_more and rows and following <= LAST_OFFSET else ""
