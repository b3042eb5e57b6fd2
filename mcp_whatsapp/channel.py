"""The WhatsApp channel: the contract of core/channel.py over the client. Glue only."""

import mimetypes
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog

from core.account_channel import AccountChannel, answers
from core.auth import same_secret
from core.capabilities import Capabilities, MediaKind, MediaLimit, Rate
from core.channel import (
    Arrival,
    ChatInfo,
    ChatPage,
    MediaFile,
    MediaLink,
    MessagePage,
    Normalized,
    Profile,
    Trouble,
    WebhookRequest,
    WebhookStatus,
)
from core.echoes import fingerprint
from core.errors import ChannelError, NotFound, PeerUnreachable, RateLimited, Rejected, SessionLost
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId, UserId
from core.media import check_file
from core.webhook_address import WebhookAddress
from mcp_whatsapp.client import (
    CHANNEL,
    LARGEST_PAGE,
    WANTED_TYPES,
    WappiClient,
    digits_of,
    next_cursor,
    page_of,
    recipient,
)
from mcp_whatsapp.normalize import Whose, arrivals_of_rows, barred_at, chat_info, chat_messages, normalize
from mcp_whatsapp.schemas import ProfileStatus, address, is_person, moment, phone_of, without_marks
from mcp_whatsapp.settings import WhatsAppSettings

#: What is known to arrive (§8); larger files are untested. Wappi documents no limits: those of words are
#: WhatsApp's own.
FILE_MAX_BYTES = 16 * 1024 * 1024
MEDIA: dict[MediaKind, MediaLimit] = {
    "image": MediaLimit(types=("image/jpeg", "image/png"), max_bytes=FILE_MAX_BYTES, caption_limit=1_024),
    "voice": MediaLimit(types=("audio/ogg", "audio/mpeg", "audio/mp4"), max_bytes=FILE_MAX_BYTES),
    "video": MediaLimit(types=("video/mp4",), max_bytes=FILE_MAX_BYTES, caption_limit=1_024),
    "document": MediaLimit(max_bytes=FILE_MAX_BYTES, caption_limit=1_024),
}
CAPABILITIES = Capabilities(
    text_limit=65_536,
    media=MEDIA,
    edit_window_seconds=15 * 60,
    starts_chats=True,
    rates=(Rate(applies_to="sends (ours: Wappi publishes none)", calls=1, seconds=1),),
    webhook_slots="one",
    webhook_max_bytes=64 * 1024 * 1024,  # a delivery carries whole files in base64 (§4.2)
)
#: Under which our phrase may come (§6.3), the likeliest first.
PHRASE_HEADERS = ("authorization", "auth", "x-wappi-auth", "x-webhook-auth")
SWEEP_PAGE, SWEEP_PAGES = 200, 10
LINK_SECONDS = 48 * 3600
#: Wappi's short drops heal by themselves within seconds (§3.1).
BAD_LOOKS = 3
#: Ours: nobody tells how long WhatsApp bars a number; then one send shows whether it still does.
BAN_SECONDS = 3_600
PAYMENT_NEAR = timedelta(days=3)


class WhatsAppChannel(AccountChannel):
    """One Wappi profile as a channel."""

    def __init__(
        self,
        client: WappiClient,
        settings: WhatsAppSettings,
        *,
        account: AccountId = DEFAULT_ACCOUNT,
        fingerprint: Callable[[str], str] = fingerprint,
    ) -> None:
        super().__init__(ChannelName(CHANNEL), account, CAPABILITIES, client)
        self._client = client
        self._fingerprint = fingerprint
        self._secret = settings.webhook_secret.get_secret_value()
        self._address = WebhookAddress(self.name, account, self._secret)
        self._strict_header = settings.webhook_auth_header.lower()
        self._heard_header = ""
        self._bad_looks = 0
        self._barred_until = 0.0

    async def send_text(self, chat_id: ChatId, text: str, *, key: str = "") -> MessageId:
        """There is no idempotency key (§7)."""
        del key
        return await self._sent(chat_id, lambda to: self._client.message_send(to, text))

    async def send_reply(
        self, chat_id: ChatId, text: str, reply_to: MessageId, *, key: str = ""
    ) -> MessageId:
        """Wappi replies into the chat of the quoted message, so that is looked at first: words for one
        customer never go to another."""
        if not await self._is_in(chat_id, reply_to):
            return await self.send_text(chat_id, text, key=key)
        return await self._sent(chat_id, lambda _: self._client.message_reply(reply_to, text))

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        check_file("image", MEDIA["image"], image)
        return await self._sent(chat_id, lambda to: self._client.img_send(to, image, caption))

    async def send_voice(
        self, chat_id: ChatId, voice: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """As audio; whether WhatsApp shows it as a voice note is not known (§3.2)."""
        del caption, key
        check_file("voice", MEDIA["voice"], voice)
        return await self._sent(chat_id, lambda to: self._client.audio_send(to, voice))

    async def send_video(
        self, chat_id: ChatId, video: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """MP4 only: a .mov may be answered `done` and never arrive (§8)."""
        del key
        check_file("video", MEDIA["video"], video)
        return await self._sent(chat_id, lambda to: self._client.video_send(to, video, caption))

    async def send_document(
        self, chat_id: ChatId, document: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        del key
        check_file("document", MEDIA["document"], document)
        return await self._sent(chat_id, lambda to: self._client.document_send(to, document, caption))

    async def edit_message(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        await self._check_place(chat_id, message_id)
        try:
            await self._client.message_edit(message_id, text)
        except Rejected as error:
            rule = "WhatsApp edits only our own texts, within 15 minutes."
            raise Rejected(f"{error.detail} {rule}", channel=CHANNEL) from error

    async def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        await self._check_place(chat_id, message_id)
        await self._client.message_delete(message_id)

    async def react(self, chat_id: ChatId, message_id: MessageId, emoji: str) -> None:
        await self._check_place(chat_id, message_id)
        await self._client.message_reaction(message_id, emoji)

    async def show_typing(self, chat_id: ChatId) -> None:
        """For 20 s (§3.4)."""
        await self._client.typing_start(recipient(chat_id))

    async def mark_read(self, chat_id: ChatId) -> None:
        """By its newest message: works for groups as well (§3.2)."""
        rows = (await self._client.messages_get(recipient(chat_id), limit=1)).messages
        if newest := chat_messages(rows, None):
            await self._client.mark_read(newest[0].message_id)

    async def list_chats(self, limit: int, cursor: str) -> ChatPage:
        """Private chats: groups are not customers'."""
        limit, offset = page_of(limit, cursor)
        answer = await self._client.chats_get(limit=limit, offset=offset)
        chats = [chat_info(chat) for chat in answer.dialogs if chat and is_person(chat.id)]
        return ChatPage(
            chats=chats, next_cursor=next_cursor(offset, len(answer.dialogs), limit, answer.total_count)
        )

    def name_of_chat(self, chat_id: ChatId) -> ChatId:
        """Digits: Wappi also takes …@c.us and the like (§2.1)."""
        return ChatId(address(chat_id))

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        """The filter takes parts of ids (§3.4), so the right one is picked from what it finds."""
        wanted = recipient(chat_id)
        answer = await self._client.chats_get(limit=100, ids=[wanted.partition("@")[0]])
        found = (chat_info(chat) for chat in answer.dialogs if chat and address(chat.id) == wanted)
        if chat := next(found, None):
            return chat
        raise NotFound("There is no such chat on this number.", channel=CHANNEL)

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        limit, offset = page_of(limit, cursor)
        answer = await self._client.messages_get(recipient(chat_id), limit=limit, offset=offset)
        rows = answer.messages
        return MessagePage(
            messages=chat_messages(rows, self._client.known_phone),
            next_cursor=next_cursor(offset, len(rows), limit, answer.total_count),
        )

    async def arrivals_since(self, since: datetime, known: Sequence[ChatId]) -> Sequence[Arrival]:
        """Of all chats at once, the newest 2,000 messages at most; calls and receipts are in no history."""
        del known
        arrivals: list[Arrival] = []
        for page in range(SWEEP_PAGES):
            answer = await self._client.messages_all_get(limit=SWEEP_PAGE, offset=page * SWEEP_PAGE)
            found = arrivals_of_rows(answer.messages, self._whose)
            recent = [one for one in found if one.message.timestamp >= since]
            arrivals = recent + arrivals
            if len(recent) < len(found) or len(answer.messages) < SWEEP_PAGE:
                break
        return arrivals

    async def get_profile(self, user_id: UserId) -> Profile:
        if not (phone := phone_of(user_id)):
            raise NotFound("WhatsApp hides who this is.", channel=CHANNEL)
        try:
            person = await self._client.contact_get(address(user_id))
        except Rejected as error:
            raise NotFound(error.detail, channel=CHANNEL) from error
        names = map(without_marks, (person.name, person.pushname, person.short_name, person.business_name))
        return Profile(user_id=user_id, name_untrusted=next(filter(None, names), ""), phone=phone)

    async def chat_of_phone(self, phone: str) -> ChatId:
        """Asked before the first message: to a number without WhatsApp Wappi may answer `done` (§7)."""
        digits = digits_of(phone)
        if not await self._client.contact_check(digits):
            raise PeerUnreachable("This number has no WhatsApp.", channel=CHANNEL)
        return ChatId(digits)

    async def media_link(self, file_id: str) -> MediaLink:
        """A signed link, good for about two days: from the history, else from a download (§3.5)."""
        stored, now = (await self._client.messages_id_get(file_id)).stored, self._client.timing.wall()
        url, expire = (stored.url, stored.expire) if stored else (None, None)
        if not url or (expire is not None and expire <= now):
            answer = await self._client.media_download(file_id)
            url, expire = answer.file_link, answer.file_link_expire
        if not url:
            raise NotFound("Wappi gives no link to this file.", channel=CHANNEL)
        return MediaLink(url=url, expires_in=max(1, int(expire - now)) if expire else LINK_SECONDS)

    async def open_file(self, file_id: str) -> MediaFile:
        """The file itself; WhatsApp keeps it for 20 days (§8)."""
        answer = await self._client.media_download(file_id)
        if not answer.content:
            raise NotFound("Wappi gives no bytes of this file, at most a link.", channel=CHANNEL)
        media_type = answer.mime_type or "application/octet-stream"
        ending = mimetypes.guess_extension(media_type.partition(";")[0]) or ""
        return MediaFile(answer.content, media_type, name=f"{file_id}{ending}")

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        """Take the profile's only address, unless it is somebody else's (§3.7), and ask for the echoes."""
        wanted = self._address.completed(url)
        known = await self._client.webhook_url_get()
        if known and not self._is_ours(known, wanted) and known != wanted:
            place = self._address.shown(known)
            said = f"The profile delivers to {place} only: unsubscribe that first, if it may go."
            raise Rejected(said, channel=CHANNEL)
        await self._client.webhook_url_set(wanted)
        types = set((await self._client.get_status()).webhook_types or [])
        if not types >= WANTED_TYPES:
            await self._client.webhook_types_set(sorted(types | WANTED_TYPES))
        return await self.webhook_status()

    async def webhook_status(self) -> WebhookStatus:
        """`subscribed` when the address carries our secret; missing types are told by `troubles`."""
        url = await self._client.webhook_url_get()
        ours = self._address.is_ours(url)
        return WebhookStatus(subscribed=ours, urls=[self._address.shown(url)] if url else [])

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        """`url` as registered, without its secret, or as webhook_status shows it."""
        known = await self._client.webhook_url_get()
        if known and (url in {known, self._address.shown(known)} or self._address.completed(url) == known):
            await self._client.webhook_url_delete()
        return await self.webhook_status()

    async def troubles(self) -> Sequence[Trouble]:
        """From `get/status` (§6.4) and the newest messages; a short drop of the connection is none."""
        status = await self._client.get_status()
        self._bad_looks = 0 if status.app_status in {None, "open"} else self._bad_looks + 1
        found = [self._payment(status), await self._ban()]
        if not status.authorized:
            said = f"The number is logged out of WhatsApp since {status.logouted_at or 'a while'}."
            found.append(Trouble(code="session_lost", detail=said))
        elif self._bad_looks >= BAD_LOOKS:
            said = f"WhatsApp was {status.app_status!r} {self._bad_looks} times in a row; no QR code helps."
            found.append(Trouble(code="vendor_down", detail=said))
        missing = sorted(WANTED_TYPES - set(status.webhook_types or []))
        if status.webhook_url and missing:
            said = f"The webhook is not told of {', '.join(missing)}: subscribe again."
            found.append(Trouble(code="not_subscribed", detail=said))
        return [trouble for trouble in found if trouble]

    def _payment(self, status: ProfileStatus) -> Trouble | None:
        until, now = moment(status.payment_expired_at), moment(self._client.timing.wall())
        if until is None or now is None or until - now > PAYMENT_NEAR:
            return None
        if until <= now:
            return Trouble(code="plan_required", detail=f"The profile is paid until {until:%Y-%m-%d} only.")
        return Trouble(code="payment_due", detail=f"The profile is paid until {until:%Y-%m-%d}.")

    async def _ban(self) -> Trouble | None:
        """§4.5: sends wait for an hour after the message that told of it; no look that fails ends that."""
        with suppress(ChannelError):
            answer = await self._client.messages_all_get(limit=LARGEST_PAGE, offset=0)
            since = barred_at(answer.messages, self._client.known_phone)
            self._barred_until = since.timestamp() + BAN_SECONDS if since else 0.0
        if self._barred_for() <= 0:
            return None
        said = "WhatsApp bars this number from sending for a time: sends wait, lest it be lost for good."
        return Trouble(code="vendor_down", detail=said)

    def _barred_for(self) -> float:
        return self._barred_until - self._client.timing.wall()

    async def is_up(self) -> bool:
        return await answers(self._client.get_status())

    def verify(self, request: WebhookRequest) -> bool:
        """The secret of the path, and our phrase wherever a header carries one (§6.3).

        The header's name is not documented: the first that comes is logged, to be made strict by a setting.
        """
        if not same_secret(self._secret, request.secret):
            return False
        names = (self._strict_header,) if self._strict_header else PHRASE_HEADERS
        given = [name for name in names if name in request.headers]
        matching = [name for name in given if same_secret(self._client.phrase, request.headers[name])]
        if matching and not self._heard_header:
            self._heard_header = matching[0]
            structlog.get_logger().info("webhook_phrase_came", account=self._account, header=matching[0])
        return bool(matching) or not (given or self._strict_header)

    def normalize(self, body: Any) -> Normalized:
        return normalize(body, self._whose)

    @property
    def _whose(self) -> Whose:
        client = self._client
        return Whose(client.profile_id, client.known_phone, self._account, self._fingerprint)

    async def _sent(self, chat_id: ChatId, send: Callable[[str], Awaitable[str]]) -> MessageId:
        """A refusal is looked into: what a logged-out number is told is not documented (§7)."""
        to = recipient(chat_id)
        if (wait := self._barred_for()) > 0:
            said = "WhatsApp bars this number from sending for a time."
            raise RateLimited(said, channel=CHANNEL, retry_after=wait)
        try:
            return MessageId(await send(to))
        except Rejected as error:
            if await self._is_logged_out():
                raise SessionLost(error.detail, channel=CHANNEL) from error
            if to.endswith("@lid"):
                raise PeerUnreachable(f"{error.detail} It is a hidden id.", channel=CHANNEL) from error
            raise

    async def _check_place(self, chat_id: ChatId, message_id: MessageId) -> None:
        """Wappi takes the message's id alone: in another chat it would be another customer's."""
        if not await self._is_in(chat_id, message_id):
            raise NotFound("There is no message with this id in this chat.", channel=CHANNEL)

    async def _is_in(self, chat_id: ChatId, message_id: MessageId) -> bool:
        wanted = recipient(chat_id)
        try:
            return address((await self._client.messages_id_get(message_id)).chat) == wanted
        except (NotFound, Rejected):
            return False

    async def _is_logged_out(self) -> bool:
        try:
            return not (await self._client.get_status()).authorized
        except ChannelError:
            return False

    def _is_ours(self, url: str, wanted: str) -> bool:
        """With our secret, or with one that we had before at the same place."""
        place = wanted.rpartition("/")[0]
        same_place = place.endswith(f"/webhook/{CHANNEL}/{self._account}") and url.startswith(f"{place}/")
        return self._address.is_ours(url) or same_place
