"""The Telegram channel: the contract of core/channel.py over the client. Glue only."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from core.account_channel import AccountChannel, answers
from core.auth import same_secret
from core.capabilities import Capabilities, MediaKind, MediaLimit, Rate
from core.channel import ChatInfo, MediaFile, Normalized, Profile, Trouble, WebhookRequest, WebhookStatus
from core.echoes import fingerprint
from core.errors import NotFound, Rejected
from core.filetypes import type_of_bytes, type_of_name
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId, UserId
from core.media import check_file
from core.messages import IncomingMessage
from core.transports import masked
from core.webhook_address import WebhookAddress
from mcp_telegram.client import CHANNEL, NotModified, PressTooOld, ReplyGone, TelegramClient
from mcp_telegram.normalize import Fingerprint, Reader, normalize
from mcp_telegram.schemas import Place, Sent, WebhookInfo
from mcp_telegram.settings import TelegramSettings

TEXT_LIMIT = 4_096
CAPTION_LIMIT = 1_024
MEGABYTE = 1024 * 1024
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
VOICE_TYPES = ("audio/ogg", "audio/mpeg", "audio/mp4")
MEDIA: dict[MediaKind, MediaLimit] = {
    "image": MediaLimit(types=IMAGE_TYPES, max_bytes=10 * MEGABYTE, caption_limit=CAPTION_LIMIT),
    "voice": MediaLimit(types=VOICE_TYPES, max_bytes=MEGABYTE, caption_limit=CAPTION_LIMIT),
    "video": MediaLimit(max_bytes=50 * MEGABYTE, caption_limit=CAPTION_LIMIT),
    "document": MediaLimit(max_bytes=50 * MEGABYTE, caption_limit=CAPTION_LIMIT),
}
#: Ours: the contract has no numbers for buttons, but for the bytes that one tells.
MOST_BUTTONS = 20
BUTTON_LIMIT = 64
CALLBACK_BYTES = 64
DELETE_WINDOW_SECONDS = 48 * 3_600
LARGEST_DOWNLOAD = 20 * MEGABYTE
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # the name of a header
#: What we can read (§3); always named, for `message_reaction` is not in the usual set.
UPDATES = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "message_reaction",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
)
#: Of these, what a webhook set without names does not bring (§2.1).
UNUSUAL = {"message_reaction"}
#: Telegram repeats a failed delivery within two minutes: an older error is over.
RECENT_SECONDS = 300


CAPABILITIES = Capabilities(
    text_limit=TEXT_LIMIT,
    text_unit="utf16",
    media=MEDIA,
    most_buttons=MOST_BUTTONS,
    button_limit=BUTTON_LIMIT,
    delete_window_seconds=DELETE_WINDOW_SECONDS,
    rates=(
        Rate(applies_to="sends of one chat", calls=1, seconds=1),
        Rate(applies_to="sends of one group", calls=20, seconds=60),
        Rate(applies_to="every call", calls=30, seconds=1),
    ),
    webhook_authenticity="secret_header",
    webhook_slots="one",
    ordered=True,
)


class TelegramChannel(AccountChannel):
    """One bot as a channel, with the business accounts that it is connected to."""

    def __init__(
        self,
        client: TelegramClient,
        settings: TelegramSettings,
        *,
        account: AccountId = DEFAULT_ACCOUNT,
        fingerprint: Fingerprint = fingerprint,
    ) -> None:
        super().__init__(ChannelName(CHANNEL), account, CAPABILITIES, client)
        self._client = client
        self._fingerprint = fingerprint
        self._bot_id = settings.bot_id
        self._secret = settings.webhook_secret.get_secret_value()
        self._address = WebhookAddress(self.name, account)

    async def send_text(self, chat_id: ChatId, text: str, *, key: str = "") -> MessageId:
        """Plain text: nothing in it can break the parsing (§5). There is no idempotency key (§7)."""
        del key
        place = Place.read(chat_id)
        return _named(place, await self._client.send_message(place, text))

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        return await self._send_file("image", self._client.send_photo, chat_id, image, caption)

    async def send_voice(
        self, chat_id: ChatId, voice: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """Up to 1 MB: a longer one would be shown as a file (§5)."""
        del key
        return await self._send_file("voice", self._client.send_voice, chat_id, voice, caption)

    async def send_video(
        self, chat_id: ChatId, video: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        return await self._send_file("video", self._client.send_video, chat_id, video, caption)

    async def send_document(
        self, chat_id: ChatId, document: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        return await self._send_file("document", self._client.send_document, chat_id, document, caption)

    async def send_buttons(
        self, chat_id: ChatId, text: str, labels: Sequence[str], *, key: str = ""
    ) -> MessageId:
        """One button a row. A press tells the button's data, from which the label is found again."""
        del key
        place = Place.read(chat_id)
        rows = [[{"text": label, "callback_data": data}] for label, data in _with_data(labels)]
        return _named(place, await self._client.send_message(place, text, markup={"inline_keyboard": rows}))

    async def send_reply(
        self, chat_id: ChatId, text: str, reply_to: MessageId, *, key: str = ""
    ) -> MessageId:
        """Telegram itself sends the text alone when the target is gone; so do we when it refuses, and for
        what is no message of the chat, such as a press."""
        place = Place.read(chat_id)
        with suppress(NotFound, ReplyGone):
            number = place.number_of(reply_to)
            return _named(place, await self._client.send_message(place, text, reply_to=number))
        return await self.send_text(chat_id, text, key=key)

    async def edit_message(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        place = Place.read(chat_id)
        try:
            await self._client.edit_message_text(place, place.number_of(message_id), text)
        except NotModified:
            return

    async def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        """Within 48 hours (§5). In a business chat the owner must have given the right to it (§4)."""
        place = Place.read(chat_id)
        number = place.number_of(message_id)
        if place.connection:
            await self._client.delete_business_messages(place.connection, [number])
        else:
            await self._client.delete_message(place.chat, number)

    async def react(self, chat_id: ChatId, message_id: MessageId, emoji: str) -> None:
        place = Place.read(chat_id)
        if place.connection:  # without its connection it would be the message of that number in another chat
            raise Rejected("Telegram lets bots react in their own chats only.", channel=CHANNEL)
        await self._client.set_message_reaction(place.chat, place.number_of(message_id), emoji)

    async def show_typing(self, chat_id: ChatId) -> None:
        await self._client.send_chat_action(Place.read(chat_id), "typing")

    async def mark_message_read(self, chat_id: ChatId, message_id: MessageId) -> None:
        """Show a customer of a business chat that it was read (§5); bots' own chats have no marks."""
        place = Place.read(chat_id)
        if not place.connection:
            raise Rejected("Only in business chats can messages be marked as read.", channel=CHANNEL)
        await self._client.read_business_message(place, place.number_of(message_id))

    async def ask_for_phone(self, chat_id: ChatId, text: str, button: str) -> MessageId:
        """A text with a button that shares the customer's number (§5), in private chats with the bot only."""
        place = Place.read(chat_id)
        if place.connection or place.chat < 0:
            raise Rejected("A number can be asked for in private chats with the bot only.", channel=CHANNEL)
        keyboard = [[{"text": button, "request_contact": True}]]
        markup = {"keyboard": keyboard, "one_time_keyboard": True, "resize_keyboard": True}
        return _named(place, await self._client.send_message(place, text, markup=markup))

    async def answer_press(self, message: IncomingMessage) -> None:
        """A press is named by its own id; one that is too old has no spinner any more (§4)."""
        query_id = message.external_message_id.removeprefix("press:")
        try:
            await self._client.answer_callback_query(query_id)
        except PressTooOld:
            return

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        """Who it is. Of a business chat Telegram tells only when the customer knows the bot as well."""
        place = Place.read(chat_id)
        chat = await self._client.get_chat(place.chat)
        return ChatInfo(
            chat_id=chat_id,
            client_name_untrusted=chat.title or chat.name,
            client_user_id=str(chat.id) if chat.is_private else "",
        )

    async def get_profile(self, user_id: UserId) -> Profile:
        place = Place.read(user_id)
        user = await self._client.get_chat(place.chat)
        if place.connection or not user.is_private:
            raise NotFound("There is no person with this id.", channel=CHANNEL)
        return Profile(user_id=str(user.id), name_untrusted=user.name, username_untrusted=user.username or "")

    async def open_file(self, file_id: str) -> MediaFile:
        """The bytes: a link would hold the token (§6). Raises Rejected above 20 MB."""
        try:
            found = await self._client.get_file(file_id)
        except Rejected as error:
            if "too big" not in error.detail:
                raise
            raise _too_large(error.detail) from error
        if (found.file_size or 0) > LARGEST_DOWNLOAD:
            raise _too_large(f"The file has {found.file_size} bytes.")
        content = await self._client.download(found.file_path)
        name = found.file_path.rpartition("/")[2]
        media_type = type_of_bytes(content) or type_of_name(name) or "application/octet-stream"
        return MediaFile(content, media_type=media_type, name=name)

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        """Deliver to `url`, completed with our path. Raises Rejected rather than replace somebody else's."""
        wanted = self._address.completed(url)
        present = (await self._client.get_webhook_info()).url
        if present and present != wanted and not self._address.is_ours(present):
            elsewhere = f"This bot's messages go to {self._address.shown(present)}"
            rule = "Telegram has one address per bot: unsubscribe that one first."
            raise Rejected(f"{elsewhere}, and {rule}", channel=CHANNEL)
        await self._client.set_webhook(wanted, UPDATES)
        return self._status(await self._client.get_webhook_info(), wanted)

    async def webhook_status(self) -> WebhookStatus:
        """`subscribed` when the address is ours; `troubles` tells of updates that are not asked for."""
        return self._status(await self._client.get_webhook_info())

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        """`url` as registered, without our path, or as webhook_status shows it."""
        present = (await self._client.get_webhook_info()).url
        meant = {url, self._address.completed(url)}
        if present and (present in meant or self._address.shown(present) == url):
            await self._client.delete_webhook()
        return await self.webhook_status()

    async def troubles(self) -> Sequence[Trouble]:
        """Deliveries that fail now (a chat's next one waits behind it), and kinds that never come."""
        info = await self._client.get_webhook_info()
        found = []
        since = self._client.now() - (info.last_error_date or 0)
        if info.pending_update_count and since <= RECENT_SECONDS:
            said = masked(info.last_error_message or "no reason told", (self._secret,))
            told = f"{info.pending_update_count} updates wait: {said}"
            found.append(Trouble(code="deliveries_failing", detail=told))
        missing = UNUSUAL if info.allowed_updates is None else set(UPDATES) - set(info.allowed_updates)
        if missing and self._address.is_ours(info.url):
            told = f"Telegram is not asked for {', '.join(sorted(missing))}: subscribe again."
            found.append(Trouble(code="not_subscribed", detail=told))
        return found

    async def is_up(self) -> bool:
        return await answers(self._client.get_me())

    def verify(self, request: WebhookRequest) -> bool:
        """The secret of setWebhook comes back in a header (§2.2)."""
        return same_secret(self._secret, request.headers.get(SECRET_HEADER, ""))

    def normalize(self, body: Any) -> Normalized:
        now = datetime.fromtimestamp(self._client.now(), UTC)
        return normalize(body, Reader(self._bot_id, self._account, self._fingerprint, now))

    async def _send_file(
        self,
        kind: MediaKind,
        send: Callable[[Place, MediaFile, str], Awaitable[Sent]],
        chat_id: ChatId,
        file: MediaFile,
        caption: str,
    ) -> MessageId:
        place = Place.read(chat_id)
        check_file(kind, MEDIA[kind], file)
        return _named(place, await send(place, file, caption))

    def _status(self, info: WebhookInfo, wanted: str = "") -> WebhookStatus:
        ours = bool(info.url) and (info.url == wanted or self._address.is_ours(info.url))
        return WebhookStatus(subscribed=ours, urls=[self._address.shown(info.url)] if info.url else [])


def _named(place: Place, sent: Sent) -> MessageId:
    """The new message's id; a group may have got another id meanwhile."""
    return place._replace(chat=sent.chat.id).message_id(sent.message_id)


def _with_data(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Each label with what its button tells: the label itself where it fits into 64 bytes (§5)."""
    return [(label, _data(f"{number}:{label}", label)) for number, label in enumerate(labels)]


def _data(numbered: str, label: str) -> str:
    if len(label.encode("utf-8", "replace")) <= CALLBACK_BYTES:
        return label
    return numbered.encode("utf-8", "replace")[:CALLBACK_BYTES].decode("utf-8", "ignore")


def _too_large(detail: str) -> Rejected:
    return Rejected(f"{detail} Telegram gives files of up to 20 MB to bots.", channel=CHANNEL)
