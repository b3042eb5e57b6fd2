"""The kinds of media: which part of a channel sends each, and what people call it."""

from dataclasses import dataclass
from typing import Any, get_args

from core.capabilities import MediaKind
from core.channel import (
    Channel,
    ChatMessage,
    MediaFile,
    SendsDocuments,
    SendsImages,
    SendsVideos,
    SendsVoice,
)
from core.errors import Rejected
from core.ids import ChatId, MessageId

KINDS: tuple[MediaKind, ...] = get_args(MediaKind)

#: As our sentences name one.
NOUNS: dict[MediaKind, str] = {
    "image": "picture",
    "voice": "voice note",
    "video": "video",
    "document": "file",
}
_PARTS: dict[MediaKind, Any] = {
    "image": SendsImages,
    "voice": SendsVoice,
    "video": SendsVideos,
    "document": SendsDocuments,
}
#: Words of vendors' histories for the kind.
_ALSO: dict[MediaKind, frozenset[str]] = {
    "image": frozenset({"image", "photo"}),
    "voice": frozenset({"voice", "audio", "audio_message", "ptt"}),
    "video": frozenset({"video"}),
    "document": frozenset({"document", "file", "doc"}),
}


@dataclass(frozen=True, slots=True)
class Captioned:
    """A file and the words that travel with it."""

    kind: MediaKind
    file: MediaFile
    caption: str = ""


def kinds_of(channel: Channel) -> tuple[MediaKind, ...]:
    """What the channel can send: it has the part, and the manifest says within which limits."""
    return tuple(
        kind for kind in KINDS if kind in channel.capabilities.media and isinstance(channel, _PARTS[kind])
    )


def refuse_kind(kind: MediaKind) -> Rejected:
    """That the messenger lacks the kind."""
    return Rejected(f"This messenger takes no {NOUNS[kind]}s.")


async def send_captioned(channel: Channel, chat_id: ChatId, what: Captioned, key: str) -> MessageId:
    """Send it through the part of its kind. Raises Rejected when the channel lacks it."""
    if what.kind == "image" and isinstance(channel, SendsImages):
        return await channel.send_image(chat_id, what.file, caption=what.caption, key=key)
    if what.kind == "voice" and isinstance(channel, SendsVoice):
        return await channel.send_voice(chat_id, what.file, caption=what.caption, key=key)
    if what.kind == "video" and isinstance(channel, SendsVideos):
        return await channel.send_video(chat_id, what.file, caption=what.caption, key=key)
    if what.kind == "document" and isinstance(channel, SendsDocuments):
        return await channel.send_document(chat_id, what.file, caption=what.caption, key=key)
    raise refuse_kind(what.kind)


def shows_kind(message: ChatMessage, kind: MediaKind) -> bool:
    """Whether a message of the history is of this kind."""
    if message.type in _ALSO[kind]:
        return True
    return (kind == "image" and bool(message.image_url)) or (kind == "voice" and bool(message.voice_file_id))
