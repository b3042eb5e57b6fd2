"""Fakes that keep the real rules. Tests only: production never imports this."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from core.auth import same_secret
from core.capabilities import Capabilities, MediaLimit
from core.channel import (
    Arrival,
    ChatMessage,
    MediaFile,
    MessagePage,
    Normalized,
    WebhookRequest,
)
from core.clock import Clock, SystemClock
from core.echoes import IMAGE_FINGERPRINT, fingerprint
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId
from core.messages import IncomingMessage

FAKE_LIMITS = Capabilities(
    text_limit=1000, media={"image": MediaLimit(types=("image/jpeg",), max_bytes=1_000_000)}
)


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that the vendor took from us."""

    message_id: MessageId
    chat_id: ChatId
    text: str
    sent_at: str
    image: MediaFile | None = None


async def _at_once(posted: Posted) -> None:
    """The vendor answers without delay."""


class FakeChannel:
    """A messenger in memory. It takes every message, in order, unless told to fail.

    `taken` is what the customer sees. `before_answer` is awaited after a message was taken and before the
    call returns. A webhook body is `{"id", "chat", "text"}`, with `"own": true` for the account's own words;
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
        assert len(text) <= self.capabilities.text_limit  # noqa: S101  # the fake keeps the vendor's rule
        return await self._post(chat_id, text, None)

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """As the contract says."""
        return await self._post(chat_id, "", image)

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
        mark = IMAGE_FINGERPRINT if posted.image else fingerprint(posted.text)
        arrival = self.arrival(posted.message_id, posted.chat_id, posted.text, own=True)
        return Arrival(arrival.message, arrival.event_key, own=True, fingerprint=mark)

    async def _post(self, chat_id: ChatId, text: str, image: MediaFile | None) -> MessageId:
        self.calls += 1
        error, taken = self._failures.popleft() if self._failures else (None, False)
        if error is not None and not taken:
            raise error
        posted = Posted(MessageId(f"m{next(self._ids)}"), chat_id, text, self._now(), image)
        self.taken.append(posted)
        await self.before_answer(posted)
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return posted.message_id

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).isoformat()


class FakeChannelWithHistory(FakeChannel):
    """The same with a history; `hidden` is how many of the newest messages it does not show yet."""

    hidden = 0

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        """Newest first; the cursor is an offset."""
        in_chat = [one for one in self.taken if one.chat_id == chat_id]
        shown = in_chat[: len(in_chat) - self.hidden][::-1]
        start = int(cursor or 0)
        page = [_as_history(one) for one in shown[start : start + limit]]
        return MessagePage(messages=page, next_cursor=str(start + limit) if shown[start + limit :] else "")


def _as_history(posted: Posted) -> ChatMessage:
    return ChatMessage(
        message_id=posted.message_id,
        direction="out",
        type="image" if posted.image else "text",
        text_untrusted=posted.text,
        sent_at=posted.sent_at,
    )
