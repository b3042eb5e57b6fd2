"""The MAX channel: the contract of core/channel.py over the client. Glue only."""

import re
from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Any

from core.account_channel import AccountChannel, answers
from core.auth import same_secret
from core.capabilities import Capabilities, MediaKind, MediaLimit, Rate
from core.channel import (
    Arrival,
    ChatInfo,
    MediaFile,
    MediaLink,
    MessagePage,
    Normalized,
    WebhookRequest,
    WebhookStatus,
)
from core.echoes import fingerprint
from core.errors import BadCursor, Forbidden, NotFound, PeerUnreachable, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId
from core.media import FILE_MAX_BYTES, check_file
from core.messages import IncomingMessage
from core.webhook_address import WebhookAddress
from mcp_max.client import CHANNEL, MaxClient, UploadKind, addressee
from mcp_max.normalize import Fingerprint, Ours, chat_info, chat_messages, normalize
from mcp_max.schemas import Row, read_rows
from mcp_max.settings import MaxSettings

#: In UTF-16 units: the contract names no unit, and 4,000 of these are within every other one.
TEXT_LIMIT = 4_000
MEGABYTE = 1024 * 1024
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/tiff", "image/bmp", "image/heic")
VIDEO_TYPES = ("video/mp4", "video/quicktime", "video/x-matroska", "video/webm")
EDIT_WINDOW_SECONDS = 7 * 24 * 3600
MOST_BUTTONS, BUTTON_ROWS = 210, 30
BUTTON_LIMIT = 128
LARGEST_PAGE = 100
#: How far a sweep goes: pages of 100 messages per chat.
SWEEP_PAGES = 5
SECRET_HEADER = "x-max-bot-api-secret"  # noqa: S105  # a header's name
HEARD = "Принято"
_KINDS: dict[UploadKind, MediaKind] = {
    "image": "image",
    "audio": "voice",
    "video": "video",
    "file": "document",
}
_CURSOR = re.compile(r"([0-9]{1,15}):(-?[0-9]{1,19})", re.ASCII)

#: MAX itself takes videos of 250 MB, sounds of 256 MB and files of 4 GB (§4); we hold a file in memory.
LIMITS = Capabilities(
    text_limit=TEXT_LIMIT,
    text_unit="utf16",
    media={
        "image": MediaLimit(types=IMAGE_TYPES, max_bytes=50 * MEGABYTE, caption_limit=TEXT_LIMIT),
        "voice": MediaLimit(max_bytes=FILE_MAX_BYTES),
        "video": MediaLimit(types=VIDEO_TYPES, max_bytes=FILE_MAX_BYTES, caption_limit=TEXT_LIMIT),
        "document": MediaLimit(max_bytes=FILE_MAX_BYTES, caption_limit=TEXT_LIMIT),
    },
    most_buttons=MOST_BUTTONS,
    button_limit=BUTTON_LIMIT,
    edit_window_seconds=EDIT_WINDOW_SECONDS,
    rates=(
        Rate(applies_to="every call", calls=30, seconds=1),
        Rate(applies_to="sends into one chat", calls=2, seconds=1),
    ),
    webhook_authenticity="secret_header",
)


class MaxChannel(AccountChannel):
    """One MAX bot as a channel."""

    def __init__(
        self,
        client: MaxClient,
        settings: MaxSettings,
        *,
        account: AccountId = DEFAULT_ACCOUNT,
        fingerprint: Fingerprint = fingerprint,
    ) -> None:
        super().__init__(ChannelName(CHANNEL), account, LIMITS, client)
        self._client = client
        self._address = WebhookAddress(self.name, account)
        self._fingerprint = fingerprint
        self._token = settings.token.get_secret_value()
        self._secret = settings.webhook_secret.get_secret_value()
        self._is_sandbox = settings.base_url.startswith("http:")

    async def send_text(self, chat_id: ChatId, text: str, *, key: str = "") -> MessageId:
        """There is no idempotency key (§1). Without `format` the text is shown as it is (§3.2)."""
        del key
        return MessageId(await self._client.send_message(chat_id, {"text": text}))

    async def send_reply(
        self, chat_id: ChatId, text: str, reply_to: MessageId, *, key: str = ""
    ) -> MessageId:
        """A quote that MAX refuses sends nothing, so the text goes alone then. So it does where the quoted
        message is in another chat: words of one customer never go to another."""
        link = {"type": "reply", "mid": reply_to}
        try:
            await self._check_place(chat_id, reply_to)
            return MessageId(await self._client.send_message(chat_id, {"text": text, "link": link}))
        except (NotFound, Rejected):
            return await self.send_text(chat_id, text, key=key)

    async def send_buttons(
        self, chat_id: ChatId, text: str, labels: Sequence[str], *, key: str = ""
    ) -> MessageId:
        """Callback buttons, one below the other while the 30 rows last."""
        del key
        if not 0 < len(labels) <= MOST_BUTTONS:
            raise Rejected(f"MAX takes 1 to {MOST_BUTTONS} buttons.", channel=CHANNEL)
        buttons = [{"type": "callback", "text": label, "payload": label} for label in labels]
        width = ceil(len(buttons) / BUTTON_ROWS)
        rows = [buttons[start : start + width] for start in range(0, len(buttons), width)]
        keyboard = {"type": "inline_keyboard", "payload": {"buttons": rows}}
        return MessageId(await self._client.send_message(chat_id, {"text": text, "attachments": [keyboard]}))

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        return await self._send_file(chat_id, "image", image, caption)

    async def send_voice(
        self, chat_id: ChatId, voice: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """Voice stands alone; words go apart."""
        del caption, key
        return await self._send_file(chat_id, "audio", voice, "")

    async def send_video(
        self, chat_id: ChatId, video: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        return await self._send_file(chat_id, "video", video, caption)

    async def send_document(
        self, chat_id: ChatId, document: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        return await self._send_file(chat_id, "file", document, caption)

    async def _send_file(self, chat_id: ChatId, kind: UploadKind, file: MediaFile, caption: str) -> MessageId:
        """Upload, then send (§4): until the second step nobody sees the file."""
        addressee(chat_id)
        check_file(_KINDS[kind], LIMITS.media[_KINDS[kind]], file)
        attachment = {"type": kind, "payload": await self._client.upload(kind, file)}
        words = {"text": caption} if caption else {}
        return MessageId(await self._client.send_when_ready(chat_id, {**words, "attachments": [attachment]}))

    async def edit_message(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        """Attachments and buttons stay (§3.3)."""
        await self._check_place(chat_id, message_id)
        try:
            await self._client.edit_message(message_id, {"text": text})
        except Rejected as error:
            rule = "MAX changes only our own messages; in dialogs within 7 days, with buttons at any age."
            raise Rejected(f"{error.detail} {rule}", channel=CHANNEL) from error

    async def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        await self._check_place(chat_id, message_id)
        await self._client.delete_message(message_id)

    async def show_typing(self, chat_id: ChatId) -> None:
        await self._client.send_action(chat_id, "typing_on")

    async def answer_press(self, message: IncomingMessage) -> None:
        """A short pop-up (§3.4). Start is pressed once and has nothing to answer."""
        if not message.external_message_id.startswith("bot_started:"):
            await self._client.answer_on_callback(message.external_message_id, HEARD)

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        return chat_info(await self._client.get_chat(chat_id))

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        """The cursor is the time and place in the chat of the last message shown.

        Which of `from` and `to` is the newer edge is open (§12): rows that are no older than the cursor are
        dropped here, so that a wrong guess ends the history early instead of repeating it.
        """
        before, limit = _before(cursor), min(max(limit, 1), LARGEST_PAGE)
        count = LARGEST_PAGE if cursor else limit
        found = await self._client.get_messages(chat_id, count=count, newest=before[0])
        older = [row for row in read_rows(found) if not cursor or row.place < before]
        rows = older[:limit]
        shown = chat_messages([row.message for row in rows], await self._client.bot_id())
        more = bool(rows) and (len(older) > limit or len(found) >= count)
        return MessagePage(messages=shown, next_cursor="{}:{}".format(*rows[-1].place) if more else "")

    async def arrivals_since(self, since: datetime, known: Sequence[ChatId]) -> Sequence[Arrival]:
        """What customers wrote in the known chats: at most 500 messages of each, a request per 100.

        Presses, edits and deletions are in no history; nor are native voice notes (§10.1). Our own messages
        are left out: MAX is not known to push them. Chats that are closed to us are passed over.
        """
        found: list[tuple[Row, Arrival]] = []
        await self._client.bot_id()
        for chat_id in known:
            try:
                found += await self._missed(chat_id, since)
            except (PeerUnreachable, Forbidden, NotFound):
                continue
        return [arrival for _, arrival in sorted(found, key=lambda one: one[0].place)]

    async def _missed(self, chat_id: ChatId, since: datetime) -> list[tuple[Row, Arrival]]:
        earliest, before = int(since.timestamp() * 1000), (0, 0)
        found: list[tuple[Row, Arrival]] = []
        for _ in range(SWEEP_PAGES):
            page = await self._client.get_messages(chat_id, count=LARGEST_PAGE, newest=before[0])
            rows = [row for row in read_rows(page) if before == (0, 0) or row.place < before]
            recent = [row for row in rows if row.place[0] >= earliest]
            told = [(row, self.normalize(row.as_update())) for row in recent]
            found += [(row, one) for row, meaning in told for one in meaning.arrivals if not one.own]
            if not rows or len(recent) < len(rows) or len(page) < LARGEST_PAGE:
                break
            before = rows[-1].place
        return found

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        """Subscribe `url` with our secret; repeating renews the secret. Foreign addresses stay (§5.1)."""
        wanted = self._completed(url)
        await self._client.subscribe(wanted, self._secret)
        urls = await self._client.get_subscriptions()
        return WebhookStatus(subscribed=wanted in urls, urls=[self._address.shown(known) for known in urls])

    async def webhook_status(self) -> WebhookStatus:
        """`subscribed` while one address leads to this account: MAX drops it after 8 bad hours (§5.2)."""
        urls = await self._client.get_subscriptions()
        return WebhookStatus(
            subscribed=any(map(self._address.is_ours, urls)), urls=[self._address.shown(url) for url in urls]
        )

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        """`url` as registered, as it was given, or as webhook_status shows it."""
        wanted = {url, self._completed(url)}
        for known in await self._client.get_subscriptions():
            if known in wanted or (self._address.is_ours(known) and self._address.shown(known) == url):
                await self._client.unsubscribe(known)
        return await self.webhook_status()

    async def media_link(self, file_id: str) -> MediaLink:
        """The largest MP4 of a video (§2); how long it opens is unknown."""
        url = (await self._client.get_video_attachment_details(file_id)).best
        if not url:
            raise NotFound("MAX has no link to this video yet; it may still be processed.", channel=CHANNEL)
        return MediaLink(url=url)

    async def is_up(self) -> bool:
        return await answers(self._client.get_my_info())

    def verify(self, request: WebhookRequest) -> bool:
        """The secret that we subscribed with comes back in a header (§5.2)."""
        return same_secret(self._secret, request.headers.get(SECRET_HEADER, ""))

    def normalize(self, body: Any) -> Normalized:
        return normalize(body, Ours(self._account, self._client.known_bot_id, self._fingerprint, self._token))

    async def _check_place(self, chat_id: ChatId, message_id: MessageId) -> None:
        """MAX takes the message's id alone. Raises NotFound for a message of another chat."""
        addressee(chat_id)
        try:
            message = await self._client.get_message(message_id)
        except Forbidden:  # what we may not read cannot be compared
            return
        if message.is_elsewhere(chat_id):
            raise NotFound("There is no message with this id in the chat.", channel=CHANNEL)

    def _completed(self, url: str) -> str:
        """The address that MAX shall call. Raises Rejected."""
        parts = self._address.parsed(url)
        if not self._is_sandbox and (parts.scheme != "https" or ":" in parts.netloc):
            raise Rejected("MAX calls https addresses without a port only.", channel=CHANNEL)
        return self._address.completed(url)


def _before(cursor: str) -> tuple[int, int]:
    """Time and place of the last message shown; zeros for the first page. Raises Rejected."""
    match = _CURSOR.fullmatch(cursor)
    if cursor and not match:
        raise BadCursor(channel=CHANNEL)
    return (int(match[1]), int(match[2])) if match else (0, 0)
