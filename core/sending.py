"""Sending at most once per idempotency key, over any number of replicas and through crashes.

    begin ── every part: doubt written ── vendor called ── id written, doubt gone ── … ── done
                                │
                                ├── the vendor refused: doubt gone, the part is tried anew on a repeat
                                └── no answer, or a crash: the doubt stays

A repeat that meets a doubt sends the part again under the same name where the vendor recognises that. Else
it looks into the vendor's history first: what is found there is taken as sent; what is not there after a
grace is sent; where there is no history, nobody will ever tell and nothing is sent.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import structlog

from core.attempts import Attempt, Attempts, Doubt
from core.capabilities import MediaKind
from core.channel import Channel, ChatMessage, KeepsHistory, MediaFile, MessagePage, SendsReplies
from core.echoes import Echoes, Expected
from core.errors import ChannelError, OutcomeUnknown, OutcomeUntraceable, Rejected, StorageDown
from core.ids import ChatId, MessageId
from core.jsontext import write_json
from core.media import check_file
from core.media_kinds import Captioned, kinds_of, refuse_kind
from core.messages import Speaker
from core.parts import MediaPart, OffersFiles, Part, media_parts, text_parts
from core.unbroken import Unbroken

#: A request without an answer may still be carried out this long after it was made.
GRACE_MS = 10_000
#: So long the vendor may be fetching a file from its address before the message is made.
FETCH_GRACE_MS = 90_000
#: The vendor's clock and its whole seconds.
CLOCK_MARGIN_MS = 5_000
HISTORY_PAGE = 100
HISTORY_PAGES = 11


@dataclass(frozen=True, slots=True)
class Sent:
    """The vendor's ids, one per part; `duplicate`: this key had been sent before."""

    message_ids: tuple[MessageId, ...]
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be sent under which key; an `unnamed` one has a key that only we know."""

    chat_id: ChatId
    key: str
    unnamed: bool
    digest: str
    parts: Sequence[Part]
    speaker: Speaker


class RefusesPaused(Protocol):
    """Knows which conversations a person has taken over (core/pauses.py)."""

    async def refuse(self, channel: str, account: str, chat_id: str) -> None: ...


class Sender:
    """Sends for one account of a channel. Await `close()` at the end: sends under way are not cut off.

    `shelf` gives files a public address, for vendors that fetch media themselves. The AI's words are refused
    by `pauses`; what had begun before a pause is finished, for half a message is worse than a whole one.
    """

    def __init__(
        self,
        channel: Channel,
        attempts: Attempts,
        echoes: Echoes,
        shelf: OffersFiles | None = None,
        *,
        pauses: RefusesPaused | None = None,
    ) -> None:
        self._channel = channel
        self._attempts = attempts
        self._clock = attempts.clock
        self._echoes = echoes
        self._shelf = shelf
        self._pauses = pauses
        self._unbroken = Unbroken()

    async def send_text(
        self,
        chat_id: ChatId,
        text: str,
        key: str = "",
        *,
        buttons: Sequence[str] = (),
        reply_to: str = "",
        speaker: Speaker = "agent",
    ) -> Sent:
        """Send a text of any length as so many messages as it needs, in order.

        Buttons stand under the last of them, or are numbered lines where the vendor cannot show them. The
        first quotes `reply_to`; when it is also the one with the buttons, there is no quote.
        """
        order = self._text(chat_id, text, buttons=buttons, reply_to=reply_to, speaker=speaker)
        return await self._send(_under(order, key))

    async def rehearse_text(
        self,
        chat_id: ChatId,
        text: str,
        *,
        buttons: Sequence[str] = (),
        reply_to: str = "",
        speaker: Speaker = "agent",
    ) -> int:
        """Of how many messages it would be; it raises what is refused before anything is sent."""
        order = self._text(chat_id, text, buttons=buttons, reply_to=reply_to, speaker=speaker)
        await self._refuse_paused(order)
        return len(order.parts)

    def _text(
        self, chat_id: ChatId, text: str, *, buttons: Sequence[str], reply_to: str, speaker: Speaker
    ) -> _Order:
        if reply_to and not isinstance(self._channel, SendsReplies):
            raise Rejected("This messenger cannot quote a message.", channel=self._channel.name)
        if not text.strip():
            raise Rejected("The text is empty.", channel=self._channel.name)
        if not all(label.strip() for label in buttons):
            raise Rejected("A button has no label.", channel=self._channel.name)
        quoted = MessageId(reply_to) if reply_to else None
        parts = text_parts(self._channel, text, labels=buttons, reply_to=quoted)
        beside = [write_json([*buttons]), reply_to] if buttons or reply_to else []
        return _order(chat_id, parts, _digest("text", chat_id, text, *beside), speaker)

    async def send_file(
        self,
        chat_id: ChatId,
        kind: MediaKind,
        file: MediaFile,
        caption: str = "",
        key: str = "",
        *,
        speaker: Speaker = "agent",
    ) -> Sent:
        """Send a file with its caption, or with messages after it where the caption cannot travel along."""
        order = self._file(chat_id, Captioned(kind, file, caption), speaker)
        return await self._send(_under(order, key))

    async def rehearse_file(
        self, chat_id: ChatId, kind: MediaKind, file: MediaFile, caption: str, *, speaker: Speaker
    ) -> int:
        """As rehearse_text. A file that was not fetched has no content, and is believed."""
        order = self._file(chat_id, Captioned(kind, file, caption), speaker)
        await self._refuse_paused(order)
        return len(order.parts)

    def _file(self, chat_id: ChatId, what: Captioned, speaker: Speaker) -> _Order:
        if what.kind not in kinds_of(self._channel):
            raise refuse_kind(what.kind)
        if what.file.content or not what.file.url:
            check_file(what.kind, self._channel.capabilities.media[what.kind], what.file)
        content = what.file.url or hashlib.sha256(what.file.content).hexdigest()
        digest = _digest(what.kind, chat_id, content, what.caption)
        return _order(chat_id, media_parts(self._channel, what, self._shelf), digest, speaker)

    async def close(self) -> None:
        """Wait for the sends under way; each part is limited in time."""
        await self._unbroken.close()

    async def _send(self, order: _Order) -> Sent:
        # Half a message is worse than a whole one: it is finished also when the caller goes away.
        return await self._unbroken.run(self._attempt(order))

    async def _attempt(self, order: _Order) -> Sent:
        attempt = await self._attempts.begin(self._channel, order.key, order.digest)
        if attempt.done:
            return Sent(tuple(attempt.ids), duplicate=True)
        try:
            while len(attempt.ids) < len(order.parts):
                open_doubt = attempt.doubt if self._recognises_repeats(attempt.doubt) else None
                if open_doubt or attempt.doubt is None or not await self._adopted(attempt, order):
                    if not attempt.ids and open_doubt is None:
                        await self._refuse_paused(order)
                    await self._send_next(attempt, order, open_doubt)
        except Exception as error:
            await attempt.release()
            if order.unnamed and isinstance(error, ChannelError):
                error.detail += _how_to_go_on(attempt, order)
            raise
        await attempt.finish()
        return Sent(tuple(attempt.ids))

    async def _refuse_paused(self, order: _Order) -> None:
        """Before the first part, when nothing of the message can have reached the vendor."""
        if self._pauses is not None and order.speaker != "operator":
            await self._pauses.refuse(self._channel.name, self._channel.account, order.chat_id)

    def _recognises_repeats(self, doubt: Doubt | None) -> bool:
        """Whether the vendor would still know what is in doubt by its key."""
        window_ms = self._channel.capabilities.repeat_window_seconds * 1000
        return doubt is not None and self._clock.now_ms() - doubt.since + CLOCK_MARGIN_MS < window_ms

    async def _send_next(self, attempt: Attempt, order: _Order, open_doubt: Doubt | None) -> None:
        """Send the next part; a refusal tells nothing of the earlier try that is still in doubt."""
        part, by = _next(attempt, order)
        expecting = self._echoes.expecting(
            self._channel, order.chat_id, part.mark, by=by, again=open_doubt is not None
        )
        async with expecting as expected:
            await attempt.begin_part()
            try:
                message_id = await self._call(part, order.chat_id, by)
            except OutcomeUnknown:
                raise
            except ChannelError:
                attempt.doubt = open_doubt
                raise
            await _note(expected, attempt, message_id, by)

    async def _call(self, part: Part, chat_id: ChatId, by: str) -> MessageId:
        try:
            async with asyncio.timeout(self._attempts.longest):
                return await part.send(self._channel, chat_id, by)
        except ChannelError:
            raise
        except Exception as error:
            structlog.get_logger().exception("send_broke", channel=self._channel.name)
            said = "The send broke off; the messenger may have the message."
            raise OutcomeUnknown(said, channel=self._channel.name) from error

    async def _adopted(self, attempt: Attempt, order: _Order) -> bool:
        """Whether the part in doubt has reached the vendor.

        OutcomeUnknown while nobody can tell, OutcomeUntraceable when nobody ever will.
        """
        part, by = _next(attempt, order)
        doubt, now = attempt.doubt, self._clock.now_ms()
        if doubt is None:
            return False
        found = await self._find(order.chat_id, part, by, doubt.since - CLOCK_MARGIN_MS)
        if found is None:
            self._wait_for_grace(doubt.tried + self._grace_ms(part) - now)
            return False
        await self._echoes.remember(self._channel, found, by=by)
        await attempt.end_part(found)
        await self._echoes.settle(self._channel, order.chat_id, part.mark, by=by, message_id=found)
        return True

    def _grace_ms(self, part: Part) -> int:
        fetched = isinstance(part, MediaPart) and self._channel.capabilities.media_by_url
        return FETCH_GRACE_MS if fetched else GRACE_MS

    def _wait_for_grace(self, remaining_ms: int) -> None:
        if remaining_ms > 0:
            said = "The messenger has not shown the message yet."
            raise OutcomeUnknown(said, channel=self._channel.name, retry_after=remaining_ms / 1000)

    async def _find(self, chat_id: ChatId, part: Part, by: str, earliest_ms: int) -> MessageId | None:
        """Our message in the vendor's history, unless another send is known to have made it."""
        cursor = ""
        for _ in range(HISTORY_PAGES):
            page = await self._page(chat_id, cursor)
            recent = [message for message in page.messages if _sent_ms(message) >= earliest_ms]
            ours = [one.message_id for one in recent if one.direction == "out" and part.is_shown_by(one)]
            found = await self._unclaimed([MessageId(one) for one in ours], by)
            if found or len(recent) < len(page.messages) or not page.next_cursor:
                return found
            cursor = page.next_cursor
        said = "Too much was written in the chat since to find the message in it."
        raise OutcomeUntraceable(said, channel=self._channel.name)

    async def _page(self, chat_id: ChatId, cursor: str) -> MessagePage:
        if not isinstance(self._channel, KeepsHistory):
            said = "The messenger keeps no history in which to look for the message."
            raise OutcomeUntraceable(said, channel=self._channel.name)
        try:
            return await self._channel.list_messages(chat_id, HISTORY_PAGE, cursor)
        except Rejected as error:
            said = f"The history does not reach back to the message: {error.detail}"
            raise OutcomeUntraceable(said, channel=self._channel.name) from error
        except ChannelError as error:
            said = f"The history cannot be read now ({error.code})."
            wait = error.retry_after
            raise OutcomeUnknown(said, channel=self._channel.name, retry_after=wait) from error

    async def _unclaimed(self, ids: Sequence[MessageId], by: str) -> MessageId | None:
        senders = await self._echoes.senders_of(self._channel, ids)
        return next((one for one, sender in zip(ids, senders, strict=True) if sender in ("", by)), None)


async def _note(expected: Expected, attempt: Attempt, message_id: MessageId, by: str) -> None:
    """Write down what the vendor took; a Redis that is away now does not make it unsent.

    The id is remembered before the record changes: a repeat after a crash in between finds it by `by`.
    """
    try:
        await expected.sent(message_id, by=by)
        await attempt.end_part(message_id)
    except StorageDown:
        structlog.get_logger().warning("sent_but_not_recorded", message_id=message_id)
        if message_id not in attempt.ids:
            attempt.ids.append(message_id)
        attempt.doubt = None


def _how_to_go_on(attempt: Attempt, order: _Order) -> str:
    """The key that continues a send which has begun; "" when nothing has been done."""
    if not attempt.ids and attempt.doubt is None:
        return ""
    return f" {len(attempt.ids)} of {len(order.parts)} parts are sent; the idempotency_key is {order.key}."


def _order(chat_id: ChatId, parts: Sequence[Part], digest: str, speaker: Speaker) -> _Order:
    return _Order(chat_id, "", False, digest, parts, speaker)


def _under(order: _Order, key: str) -> _Order:
    return replace(order, key=key or secrets.token_hex(16), unnamed=not key)


def _next(attempt: Attempt, order: _Order) -> tuple[Part, str]:
    """The next part, and the name of its send."""
    index = len(attempt.ids)
    return order.parts[index], f"{order.key}#{index}"


def _digest(*content: str) -> str:
    return hashlib.sha256("\0".join(content).encode("utf-8", "surrogatepass")).hexdigest()


def _sent_ms(message: ChatMessage) -> float:
    return datetime.fromisoformat(message.sent_at).timestamp() * 1000
