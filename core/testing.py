"""Fakes that keep the real rules. Tests only: production never imports this."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from core.auth import same_secret
from core.capabilities import Capabilities, MediaKind, MediaLimit
from core.channel import (
    Arrival,
    ChatInfo,
    ChatMessage,
    ChatPage,
    MediaFile,
    MediaLink,
    MessagePage,
    Normalized,
    Profile,
    TokenStatus,
    WebhookRequest,
    WebhookStatus,
)
from core.clock import Clock, SystemClock
from core.echoes import fingerprint
from core.errors import NotFound, PeerUnreachable, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId, UserId
from core.messages import IncomingMessage

FAKE_LIMITS = Capabilities(
    text_limit=1000, media={"image": MediaLimit(types=("image/jpeg",), max_bytes=1_000_000)}
)
#: A vendor with every kind of media, and with buttons.
FAKE_RICH_LIMITS = Capabilities(
    text_limit=1000,
    media={
        "image": MediaLimit(types=("image/jpeg", "image/png"), max_bytes=1_000_000, caption_limit=50),
        "voice": MediaLimit(types=("audio/ogg",), max_bytes=1_000_000),
        "video": MediaLimit(types=("video/mp4",), max_bytes=2_000_000, caption_limit=50),
        "document": MediaLimit(max_bytes=2_000_000, caption_limit=50),
    },
    most_buttons=3,
    button_limit=20,
)


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that the vendor took from us; `text` is also the caption of a file."""

    message_id: MessageId
    chat_id: ChatId
    text: str
    sent_at: str
    kind: MediaKind | None = None
    file: MediaFile | None = None
    labels: tuple[str, ...] = ()
    reply_to: str = ""
    key: str = ""

    @property
    def image(self) -> MediaFile | None:
        """The picture, when it is one."""
        return self.file if self.kind == "image" else None


async def _at_once(posted: Posted) -> None:
    """The vendor answers without delay."""


class FakeChannel:
    """A messenger in memory. It takes every message, in order, unless told to fail.

    `taken` is what the customer sees. A key that was taken before, within the manifest's repeat window, sends
    nothing and answers the first id. `before_answer` is awaited after a message was taken and before the call
    returns. A webhook body is `{"id", "chat", "text"}`, with `"own": true` for the account's own words;
    `{"break": ...}` breaks `normalize`, anything else is unknown.
    """

    def __init__(
        self,
        *,
        secret: str = "path-secret",  # noqa: S107  # a fake's own
        account: AccountId = DEFAULT_ACCOUNT,
        clock: Clock | None = None,
        capabilities: Capabilities = FAKE_LIMITS,
    ) -> None:
        self.name = ChannelName("avito")
        self.account = account
        self.capabilities = capabilities
        self.up = True
        self.calls = 0
        self.taken: list[Posted] = []
        self.before_answer: Callable[[Posted], Awaitable[None]] = _at_once
        self._secret = secret
        self._clock = clock or SystemClock()
        self._ids = count(1)
        self._failures: deque[tuple[BaseException | None, bool]] = deque()

    def fail(self, error: BaseException | None, *, taken: bool = False) -> None:
        """A coming send raises `error`, before the message is taken or after; None lets one through."""
        self._failures.append((error, taken))

    async def send_text(self, chat_id: ChatId, text: str, *, key: str = "") -> MessageId:
        """As the contract says; longer than the limit is a mistake of the caller."""
        return await self._post(chat_id, text, key=key)

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """As the contract says."""
        return await self._post(chat_id, caption, kind="image", file=image, key=key)

    async def is_up(self) -> bool:
        """As the contract says."""
        return self.up

    def verify(self, request: WebhookRequest) -> bool:
        """The path secret of this account."""
        return same_secret(self._secret, request.secret)

    def normalize(self, body: Any) -> Normalized:
        """As the class says."""
        if isinstance(body, dict) and "break" in body:
            raise RuntimeError("normalize is broken")
        if not isinstance(body, dict) or not {"id", "chat", "text"} <= body.keys():
            return Normalized(unknown="not a message")
        return Normalized(arrivals=(self.arrival(**body),))

    def arrival(self, id: str, chat: str, text: str, own: bool = False, **more: Any) -> Arrival:
        """What a webhook with this content means."""
        message = IncomingMessage.model_validate(
            {
                "channel": self.name,
                "account": self.account,
                "event": "operator_message" if own else "message",
                "external_user_id": "customer",
                "external_chat_id": chat,
                "external_message_id": id,
                "text": text,
                "timestamp": self._now(),
                "meta": {"raw": {"text": text, **more}},
            }
        )
        return Arrival(message, event_key=f"{id}:message", own=own, fingerprint=fingerprint(text))

    def echo(self, posted: Posted) -> Arrival:
        """How the vendor pushes our own message back."""
        mark = posted.kind or fingerprint(posted.text)
        arrival = self.arrival(posted.message_id, posted.chat_id, posted.text, own=True)
        return Arrival(arrival.message, arrival.event_key, own=True, fingerprint=mark)

    async def _post(self, chat_id: ChatId, text: str, **more: Any) -> MessageId:
        kind = more.get("kind")
        longest = self.capabilities.caption_limit(kind) if kind else self.capabilities.text_limit
        assert len(text) <= longest  # noqa: S101  # the fake keeps the vendor's rule
        self.calls += 1
        error, taken = self._failures.popleft() if self._failures else (None, False)
        if error is not None and not taken:
            raise error
        posted = self._recognised(more.get("key", ""))
        if posted is None:
            posted = Posted(MessageId(f"m{next(self._ids)}"), chat_id, text, self._now(), **more)
            self.taken.append(posted)
        await self.before_answer(posted)
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return posted.message_id

    def _recognised(self, key: str) -> Posted | None:
        if not key or not self.capabilities.repeat_window_seconds:
            return None
        earliest = self._clock.now_ms() / 1000 - self.capabilities.repeat_window_seconds
        recent = (one for one in self.taken if datetime.fromisoformat(one.sent_at).timestamp() >= earliest)
        return next((one for one in recent if one.key == key), None)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).isoformat()


class FakeChannelWithHistory(FakeChannel):
    """The same with a history; `hidden` is how many of the newest messages it does not show yet.

    It refuses what is older than the newest `shown`, as Instagram does beyond twenty.
    """

    hidden = 0
    shown = 1_000_000

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        """Newest first; the cursor is an offset."""
        in_chat = [one for one in self.taken if one.chat_id == chat_id]
        shown = in_chat[: len(in_chat) - self.hidden][::-1]
        start = int(cursor or 0)
        if start >= self.shown:
            raise Rejected(f"Only the newest {self.shown} messages are shown.", channel=self.name)
        end = min(start + limit, self.shown)
        page = [_as_history(one) for one in shown[start:end]]
        return MessagePage(messages=page, next_cursor=str(end) if shown[end:] else "")


class FakeChannelWithEverything(FakeChannelWithHistory):
    """The same with every part that one can ask for; `asked` is what it was asked beside sending.

    `phones` are the customers who have this messenger.
    """

    def __init__(self, *, capabilities: Capabilities = FAKE_RICH_LIMITS, **more: Any) -> None:
        super().__init__(capabilities=capabilities, **more)
        self.asked: list[tuple[str, ...]] = []
        self.phones: dict[str, ChatId] = {}

    async def send_voice(
        self, chat_id: ChatId, voice: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """As the contract says."""
        return await self._post(chat_id, caption, kind="voice", file=voice, key=key)

    async def send_video(
        self, chat_id: ChatId, video: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """As the contract says."""
        return await self._post(chat_id, caption, kind="video", file=video, key=key)

    async def send_document(
        self, chat_id: ChatId, document: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """As the contract says."""
        return await self._post(chat_id, caption, kind="document", file=document, key=key)

    async def send_buttons(
        self, chat_id: ChatId, text: str, labels: Sequence[str], *, key: str = ""
    ) -> MessageId:
        """As the contract says; too many labels are a mistake of the caller."""
        assert 0 < len(labels) <= self.capabilities.most_buttons  # noqa: S101  # the fake keeps the vendor's rule
        return await self._post(chat_id, text, labels=tuple(labels), key=key)

    async def send_reply(
        self, chat_id: ChatId, text: str, reply_to: MessageId, *, key: str = ""
    ) -> MessageId:
        """As the contract says."""
        return await self._post(chat_id, text, reply_to=reply_to, key=key)

    async def edit_message(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        self.asked.append(("edit_message", chat_id, message_id, text))

    async def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        self.asked.append(("delete_message", chat_id, message_id))

    async def react(self, chat_id: ChatId, message_id: MessageId, emoji: str) -> None:
        self.asked.append(("react", chat_id, message_id, emoji))

    async def show_typing(self, chat_id: ChatId) -> None:
        self.asked.append(("show_typing", chat_id))

    async def mark_read(self, chat_id: ChatId) -> None:
        self.asked.append(("mark_read", chat_id))

    async def get_profile(self, user_id: UserId) -> Profile:
        return Profile(user_id=user_id, name_untrusted="Анна")

    async def chat_of_phone(self, phone: str) -> ChatId:
        if phone not in self.phones:
            raise PeerUnreachable(channel=self.name)
        return self.phones[phone]

    async def list_chats(self, limit: int, cursor: str) -> ChatPage:
        self.asked.append(("list_chats", str(limit), cursor))
        return ChatPage(chats=[ChatInfo(chat_id="c1")], next_cursor="20")

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        return ChatInfo(chat_id=chat_id)

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        self.asked.append(("subscribe_webhook", url))
        return WebhookStatus(subscribed=True, urls=[url])

    async def webhook_status(self) -> WebhookStatus:
        return WebhookStatus(subscribed=False)

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        self.asked.append(("unsubscribe_webhook", url))
        return WebhookStatus(subscribed=False)

    async def token_status(self) -> TokenStatus:
        return TokenStatus(valid=True)

    async def refresh_token(self) -> TokenStatus:
        self.asked.append(("refresh_token",))
        return TokenStatus(valid=True)

    async def media_link(self, file_id: str) -> MediaLink:
        return MediaLink(url=f"https://files/{file_id}")


class FakeChannelWithFiles(FakeChannel):
    """The same with files that only our token opens: those in `files`, unless told to fail."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.files: dict[str, MediaFile] = {}
        self.open_fails: Exception | None = None

    async def open_file(self, file_id: str) -> MediaFile:
        """As the contract says."""
        if self.open_fails:
            raise self.open_fails
        if file_id not in self.files:
            raise NotFound(channel=self.name)
        return self.files[file_id]


def _as_history(posted: Posted) -> ChatMessage:
    return ChatMessage(
        message_id=posted.message_id,
        direction="out",
        type=posted.kind or "text",
        text_untrusted=posted.text,
        sent_at=posted.sent_at,
    )
