"""The Instagram channel: the contract of core/channel.py over the client. Glue only."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from core.account_channel import AccountChannel, answers
from core.auth import hmac_ok, same_secret
from core.capabilities import Capabilities, MediaKind, MediaLimit, Rate
from core.channel import (
    Arrival,
    ChatInfo,
    ChatMessage,
    ChatPage,
    MediaFile,
    MessagePage,
    Normalized,
    Profile,
    TokenStatus,
    WebhookRequest,
    WebhookStatus,
)
from core.echoes import fingerprint
from core.errors import BadCursor, ChannelError, NotFound, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId, UserId
from core.jsontext import without_surrogates
from mcp_instagram.client import CHANNEL, DETAILED, LISTED, InstagramClient
from mcp_instagram.normalize import Fingerprint, chat_info, normalize, recovered, shown
from mcp_instagram.schemas import LAST_SECOND, Conversation, Row
from mcp_instagram.settings import InstagramSettings

TEXT_LIMIT_BYTES = 1_000
MEGABYTE = 1024 * 1024
MEDIA: dict[MediaKind, MediaLimit] = {
    "image": MediaLimit(types=("image/jpeg", "image/png", "image/gif"), max_bytes=8 * MEGABYTE),
    "voice": MediaLimit(types=("audio/aac", "audio/mp4", "audio/wav"), max_bytes=25 * MEGABYTE),
    "video": MediaLimit(
        types=("video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm"),
        max_bytes=25 * MEGABYTE,
    ),
    "document": MediaLimit(types=("application/pdf",), max_bytes=25 * MEGABYTE),
}
#: Instagram's words for them.
TYPES: dict[MediaKind, str] = {"image": "image", "voice": "audio", "video": "video", "document": "file"}
MOST_BUTTONS, BUTTON_LIMIT = 13, 20
REPLY_WINDOW_SECONDS = 24 * 3_600
#: Up to 1,000 updates in one delivery (§13.4), in which a Cyrillic letter takes six bytes.
WEBHOOK_MAX_BYTES = 8 * MEGABYTE
WEBHOOK_PATH = f"webhook/{CHANNEL}"
LARGEST_PAGE = 100
#: The newest messages of a conversation that have details (§8).
DETAILED_ROWS = 20
OLDER = "older"
#: A sweep looks at so many pages of so many conversations.
SWEPT_PAGES, SWEPT_ROWS = 4, 25
#: Conversation ids that are remembered.
MOST_CONVERSATIONS = 10_000
_CHALLENGE = re.compile(r"[A-Za-z0-9]{1,200}")


CAPABILITIES = Capabilities(
    text_limit=TEXT_LIMIT_BYTES,
    text_unit="bytes",
    media=MEDIA,
    media_by_url=True,
    most_buttons=MOST_BUTTONS,
    button_limit=BUTTON_LIMIT,
    reply_window_seconds=REPLY_WINDOW_SECONDS,
    rates=(
        Rate(applies_to="sends of text, pictures and reactions", calls=100, seconds=1),
        Rate(applies_to="sends of audio and video", calls=10, seconds=1),
        Rate(applies_to="reading of conversations", calls=2, seconds=1),
    ),
    webhook_authenticity="hmac",
    webhook_slots="one",
    shared_webhook=True,
    webhook_max_bytes=WEBHOOK_MAX_BYTES,
)


class InstagramChannel(AccountChannel):
    """One Instagram account as a channel."""

    def __init__(
        self,
        client: InstagramClient,
        settings: InstagramSettings,
        *,
        account: AccountId = DEFAULT_ACCOUNT,
        fingerprint: Fingerprint = fingerprint,
    ) -> None:
        super().__init__(ChannelName(CHANNEL), account, CAPABILITIES, client)
        self._client = client
        self._fingerprint = fingerprint
        self._verify_token = settings.verify_token.get_secret_value()
        given = (settings.app_secret, settings.app_secret_2)
        self._app_secrets = [secret.get_secret_value() for secret in given if secret]
        self._conversations: dict[str, str] = {}

    async def send_text(self, chat_id: ChatId, text: str, *, key: str = "") -> MessageId:
        """There is no idempotency key."""
        del key
        return await self._send(chat_id, {"text": without_surrogates(text)})

    async def send_reply(
        self, chat_id: ChatId, text: str, reply_to: MessageId, *, key: str = ""
    ) -> MessageId:
        """A quote that Instagram refuses sends nothing, so the text goes alone then."""
        message = {"text": without_surrogates(text)}
        try:
            return await self._send(chat_id, message, reply_to=reply_to)
        except (Rejected, NotFound):
            return await self.send_text(chat_id, text, key=key)

    async def send_buttons(
        self, chat_id: ChatId, text: str, labels: Sequence[str], *, key: str = ""
    ) -> MessageId:
        """Quick replies (§5.4): a tap comes back with the label; a computer does not show them."""
        del key
        if len(labels) > MOST_BUTTONS or any(not 0 < len(label) <= BUTTON_LIMIT for label in labels):
            rule = f"{MOST_BUTTONS} labels of 1 to {BUTTON_LIMIT} characters"
            raise Rejected(f"Instagram takes at most {rule}.", channel=CHANNEL)
        titles = map(without_surrogates, labels)
        replies = [{"content_type": "text", "title": title, "payload": title} for title in titles]
        return await self._send(chat_id, {"text": without_surrogates(text), "quick_replies": replies})

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del caption, key
        return await self._send_media(chat_id, "image", image)

    async def send_voice(
        self, chat_id: ChatId, voice: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del caption, key
        return await self._send_media(chat_id, "voice", voice)

    async def send_video(
        self, chat_id: ChatId, video: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del caption, key
        return await self._send_media(chat_id, "video", video)

    async def send_document(
        self, chat_id: ChatId, document: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del caption, key
        return await self._send_media(chat_id, "document", document)

    async def list_chats(self, limit: int, cursor: str) -> ChatPage:
        with _reading(cursor):
            page = await self._client.get_conversations(limit=_page(limit), after=cursor)
        me = await self._client.user_id()
        chats = [chat_info(conversation, me) for conversation in page.rows]
        return ChatPage(chats=[chat for chat in chats if chat], next_cursor=page.after)

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        """With the person's name where they let us see it (§9)."""
        fields = f"{LISTED},messages{{{DETAILED}}}"
        found = await self._client.get_conversations(fields=fields, limit=1, igsid=chat_id)
        try:
            name = (await self._client.get_profile(chat_id)).name or ""
        except ChannelError:
            name = ""
        me = await self._client.user_id()
        info = chat_info(found.rows[0], me, name=name) if found.rows else None
        if info is None:
            raise NotFound("Instagram shows no conversation with this person.", channel=CHANNEL)
        return info

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        """The newest 20 of a conversation; of older ones Instagram shows the times only (§8).

        Asking for those is refused, lest who looks for a lost send take their silence for its absence.
        """
        if cursor == OLDER:
            raise Rejected("Instagram shows the newest 20 messages of a chat only.", channel=CHANNEL)
        conversation = await self._conversation(chat_id)
        with _reading(cursor):
            page = await self._client.get_messages(conversation, limit=_page(limit), after=cursor)
        messages = [_chat_message(row, chat_id) for row in page.rows if row.author]
        following = page.after if len(messages) == len(page.rows) else OLDER
        return MessagePage(messages=messages, next_cursor=following)

    async def arrivals_since(self, since: datetime, known: Sequence[ChatId]) -> Sequence[Arrival]:
        """Of the 100 latest conversations those that changed, and the 20 newest messages of each (§8).

        Edits, reactions and deletions are not in the history; a voice note may look like a file there.
        """
        del known
        me, found = await self._client.user_id(), []
        for conversation in await self._changed(since.replace(microsecond=0)):
            customer = conversation.customer(me)
            found += await self._arrivals(conversation.id, (customer and customer.id) or "", since)
        return sorted(found, key=lambda arrival: arrival.message.timestamp)

    async def get_profile(self, user_id: UserId) -> Profile:
        """Refused until the person has written, tapped or followed a link to us (§9)."""
        person = await self._client.get_profile(user_id)
        return Profile(
            user_id=user_id,
            name_untrusted=person.name or "",
            username_untrusted=person.username or "",
            avatar_url=person.profile_pic or "",
        )

    async def mark_read(self, chat_id: ChatId) -> None:
        await self._client.post_sender_action(chat_id, "mark_seen")

    async def show_typing(self, chat_id: ChatId) -> None:
        await self._client.post_sender_action(chat_id, "typing_on")

    async def react(self, chat_id: ChatId, message_id: MessageId, emoji: str) -> None:
        payload = {"message_id": message_id} | ({"reaction": without_surrogates(emoji)} if emoji else {})
        await self._client.post_sender_action(chat_id, "react" if emoji else "unreact", payload)

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        """Let this account's events be delivered; `urls` then has the address to enter in the App Dashboard.

        No call tells or changes it (§13.1): there is one for all accounts of the app, without a secret.
        """
        address = _address(url, self._account)
        await self._client.post_subscribed_apps()
        status = await self.webhook_status()
        return status.model_copy(update={"urls": [address] if status.subscribed else []})

    async def webhook_status(self) -> WebhookStatus:
        """Whether this account's events are delivered; where to, only the App Dashboard shows."""
        await self._client.user_id()
        return WebhookStatus(subscribed=bool((await self._client.get_subscribed_apps()).data))

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        """Stop the deliveries of this account's events, whatever the address."""
        del url
        await self._client.delete_subscribed_apps()
        return await self.webhook_status()

    async def token_status(self) -> TokenStatus:
        """The end of a configured token is known after its first refresh, which is therefore due at once."""
        tokens = self._client.tokens
        ends = (await tokens.held()).expires_at
        known = "" if math.isinf(ends) else _iso(ends)
        due = _iso(await tokens.renew_at()) if self._client.refreshes else ""
        return TokenStatus(valid=tokens.good, expires_at=known, renew_at=due)

    async def refresh_token(self) -> TokenStatus:
        if not self._client.refreshes:
            raise Rejected("A Page's token has no end: there is nothing to refresh.", channel=CHANNEL)
        await self._client.tokens.renew()
        return await self.token_status()

    async def is_up(self) -> bool:
        return await answers(self._client.get_me())

    def handshake(self, request: WebhookRequest) -> str | None:
        """The challenge of the App Dashboard's check (§13.2), when it knows our word."""
        query = request.query
        challenge = query.get("hub.challenge", "")
        known = same_secret(self._verify_token, query.get("hub.verify_token", ""))
        asked = request.method == "GET" and query.get("hub.mode") == "subscribe"
        return challenge if asked and known and _CHALLENGE.fullmatch(challenge) else None

    def verify(self, request: WebhookRequest) -> bool:
        """HMAC-SHA256 of the raw bytes by either secret (§13.3). The SHA-1 beside it counts for nothing."""
        given = request.headers.get("x-hub-signature-256", "")
        checks = [hmac_ok(known, request.body, given, prefix="sha256=") for known in self._app_secrets]
        return any(checks)

    def normalize(self, body: Any) -> Normalized:
        return normalize(
            body,
            user_id=self._client.known_user_id,
            account=self._account,
            fingerprint=self._fingerprint,
        )

    async def _send(self, chat_id: ChatId, message: dict[str, Any], *, reply_to: str = "") -> MessageId:
        return MessageId((await self._client.post_message(chat_id, message, reply_to=reply_to)).message_id)

    async def _send_media(self, chat_id: ChatId, kind: MediaKind, file: MediaFile) -> MessageId:
        """Instagram fetches it from its address (§5.2). There are no captions."""
        limit, given = MEDIA[kind], file.media_type.partition(";")[0].strip().lower()
        if given not in limit.types:
            raise Rejected(f"Instagram takes no {given}, only {', '.join(limit.types)}.", channel=CHANNEL)
        if len(file.content) > limit.max_bytes:
            most = limit.max_bytes // MEGABYTE
            raise Rejected(f"The {kind} is larger than {most} MB.", channel=CHANNEL)
        if not file.url:
            raise Rejected("Instagram fetches media itself: it needs a public address.", channel=CHANNEL)
        return await self._send(chat_id, {"attachment": {"type": TYPES[kind], "payload": {"url": file.url}}})

    async def _conversation(self, chat_id: ChatId) -> str:
        """Its id, asked once: webhooks and sends never name it."""
        if chat_id not in self._conversations:
            found = await self._client.get_conversations(fields="id", limit=1, igsid=chat_id)
            if not found.rows:
                raise NotFound("Instagram shows no conversation with this person.", channel=CHANNEL)
            if len(self._conversations) >= MOST_CONVERSATIONS:
                self._conversations.clear()
            self._conversations[chat_id] = found.rows[0].id
        return self._conversations[chat_id]

    async def _changed(self, since: datetime) -> list[Conversation]:
        """Conversations that changed, until a whole page has none; one without a time may have."""
        found: list[Conversation] = []
        after = ""
        for _ in range(SWEPT_PAGES):
            page = await self._client.get_conversations(limit=SWEPT_ROWS, after=after)
            changed = [one for one in page.rows if one.updated_time is None or one.updated_time >= since]
            found, after = found + changed, page.after
            if not changed or not after:
                break
        return found

    async def _arrivals(self, conversation_id: str, customer: str, since: datetime) -> list[Arrival]:
        try:
            page = await self._client.get_messages(conversation_id, limit=DETAILED_ROWS)
        except NotFound:
            return []
        me = await self._client.user_id()
        oldest_first = reversed(page.rows)
        late = [row for row in oldest_first if row.created_time and row.created_time >= since]
        return recovered(
            late, customer=customer, user_id=me, account=self._account, fingerprint=self._fingerprint
        )


def _chat_message(row: Row, customer: str) -> ChatMessage:
    """Instagram does not tell who has read what. There are no groups: who is not the customer is us.

    Who looks for a lost send must not miss it: a message without a time counts as new, and a file without
    a type has the id of a voice note, which it may be.
    """
    said, own, at = shown(row), row.author != customer, row.created_time
    media, images = said.media, said.media.images
    untold = any(file.file_url and not file.mime_type for file in row.attachments or [])
    kinds = {"image": media.has_images, "voice": media.has_voice, "video": media.videos}
    return ChatMessage(
        message_id=row.id,
        direction="out" if own else "in",
        type=next(
            (kind for kind, there in kinds.items() if there), "document" if media.documents else "text"
        ),
        text_untrusted=(own and row.message) or said.text,
        image_url=(images[0].url or "") if images else "",
        voice_file_id=row.id if media.has_voice or untold else "",
        reply_to=row.quoted or "",
        sent_at=(at or datetime.fromtimestamp(LAST_SECOND - 1, UTC)).isoformat(),
    )


def _address(url: str, account: AccountId) -> str:
    """The one address of all accounts, from any that leads to us. Raises Rejected."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Rejected("The webhook's address is not an address.", channel=CHANNEL) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Rejected("The webhook's address must start with https:// and a host.", channel=CHANNEL)
    path = parts.path.rstrip("/").removesuffix(f"/{account}")
    ours = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    return ours._replace(
        path=path if path.endswith(f"/{WEBHOOK_PATH}") else f"{path}/{WEBHOOK_PATH}"
    ).geturl()


@contextmanager
def _reading(cursor: str) -> Iterator[None]:
    """Instagram refuses a place that it does not know without saying that it is the place."""
    try:
        yield
    except Rejected as error:
        if not cursor:
            raise
        raise BadCursor(channel=CHANNEL) from error


def _page(limit: int) -> int:
    return min(max(limit, 1), LARGEST_PAGE)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
