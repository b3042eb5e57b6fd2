"""What one message of the vendor is: words (with buttons, as a reply), or a file with its caption."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from core.capabilities import Capabilities, MediaKind
from core.channel import Channel, ChatMessage, MediaFile, SendsButtons, SendsReplies
from core.echoes import fingerprint
from core.errors import Rejected
from core.ids import ChatId, MessageId
from core.media_kinds import Captioned, send_captioned, shows_kind
from core.textsplit import split_text, text_width


class OffersFiles(Protocol):
    """Gives a file a public address for a while (core/shelf.py)."""

    async def offer(self, file: MediaFile) -> MediaFile:
        """The same file with its address.

        Raises Rejected when we have no public address ourselves, RateLimited, StorageDown.
        """


class Part(Protocol):
    """One message of the vendor."""

    @property
    def mark(self) -> str:
        """The fingerprint of its echo."""

    async def send(self, channel: Channel, chat_id: ChatId, key: str) -> MessageId:
        """Send it; `key` is its name for vendors that recognise repeats."""

    def is_shown_by(self, message: ChatMessage) -> bool:
        """Whether a message of the vendor's history may be this part."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words within the vendor's limit; where both are given, the labels win over the quote."""

    text: str
    labels: tuple[str, ...] = ()
    reply_to: MessageId | None = None

    @property
    def mark(self) -> str:
        return fingerprint(self.text)

    async def send(self, channel: Channel, chat_id: ChatId, key: str) -> MessageId:
        if self.labels and isinstance(channel, SendsButtons):
            return await channel.send_buttons(chat_id, self.text, self.labels, key=key)
        if self.reply_to and isinstance(channel, SendsReplies):
            return await channel.send_reply(chat_id, self.text, self.reply_to, key=key)
        return await channel.send_text(chat_id, self.text, key=key)

    def is_shown_by(self, message: ChatMessage) -> bool:
        return fingerprint(message.text_untrusted) == self.mark


@dataclass(frozen=True, slots=True)
class MediaPart:
    """A file. Vendors that fetch files get one of ours from the `shelf`."""

    what: Captioned
    shelf: OffersFiles | None = None

    @property
    def mark(self) -> str:
        return self.what.kind

    async def send(self, channel: Channel, chat_id: ChatId, key: str) -> MessageId:
        what = self.what
        if channel.capabilities.media_by_url and not what.file.url:
            what = replace(what, file=await self._offered())
        return await send_captioned(channel, chat_id, what, key)

    def is_shown_by(self, message: ChatMessage) -> bool:
        """Some histories leave the caption out; another caption is another message."""
        if not shows_kind(message, self.what.kind):
            return False
        shown, caption = message.text_untrusted, self.what.caption
        return not shown or not caption or fingerprint(shown) == fingerprint(caption)

    async def _offered(self) -> MediaFile:
        if self.shelf is None:
            raise Rejected("This messenger fetches files itself: give the file's public address.")
        return await self.shelf.offer(self.what.file)


def text_parts(
    channel: Channel, text: str, *, labels: Sequence[str] = (), reply_to: MessageId | None = None
) -> list[TextPart]:
    """The text in pieces: a quote stands before the first, buttons under the last.

    Labels that the vendor cannot show as buttons become numbered lines of the text.
    """
    limits = channel.capabilities
    buttons = tuple(labels) if _fits(channel, labels) else ()
    if labels and not buttons:
        text = "\n".join([text.rstrip(), *(f"{n}. {label}" for n, label in enumerate(labels, 1))])
    parts = [TextPart(piece) for piece in split_text(text, limits.text_limit, limits.text_unit)]
    if parts and reply_to:
        parts[0] = replace(parts[0], reply_to=reply_to)
    if parts and buttons:
        parts[-1] = replace(parts[-1], labels=buttons)
    return parts


def media_parts(channel: Channel, what: Captioned, shelf: OffersFiles | None) -> list[Part]:
    """The file with its caption, which goes in messages of its own where it does not fit."""
    caption, limits = what.caption.strip(), channel.capabilities
    if _travels(limits, what.kind, caption):
        return [MediaPart(replace(what, caption=caption), shelf)]
    return [MediaPart(replace(what, caption=""), shelf), *text_parts(channel, caption)]


def _travels(limits: Capabilities, kind: MediaKind, caption: str) -> bool:
    return text_width(caption, limits.text_unit) <= limits.caption_limit(kind)


def _fits(channel: Channel, labels: Sequence[str]) -> bool:
    limits = channel.capabilities
    return (
        isinstance(channel, SendsButtons)
        and 0 < len(labels) <= limits.most_buttons
        and all(len(label) <= limits.button_limit for label in labels)
    )
