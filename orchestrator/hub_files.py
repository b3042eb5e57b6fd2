"""Pure: what agents are shown of a message's files: whether a voice note was heard, and where files open."""

from collections.abc import Iterable
from typing import Literal

from core.messages import File, Media
from orchestrator.batching import is_sticker
from orchestrator.history import MessageView
from orchestrator.hub_models import TurnFile

VoiceNote = Literal["", "transcribed", "pending", "untranscribed", "failed"]


def transcript(message: MessageView) -> str:
    """What a voice note says: the vendor's words, else ours, also when they came late; "" when unknown."""
    ours = (file.transcript for file in message.files if file.kind == "voice")
    return message.media.voice_transcribed_text or next(filter(None, ours), "")


def voice_note(message: MessageView) -> VoiceNote:
    """Whether the voice note was heard; "" when there is none."""
    if not message.media.has_voice:
        return ""
    if transcript(message):
        return "transcribed"
    states = {file.transcript_state for file in message.files if file.kind == "voice"}
    if "done" in states:
        return "transcribed"  # and nothing was said
    if "waiting" in states:
        return "pending"
    return "failed" if "failed" in states else "untranscribed"


def turn_files(media: Media) -> list[TurnFile]:
    """Videos, documents and stickers."""
    return [*_files(media.videos, "video"), *_files(media.documents, "document")]


def links(media: Media) -> list[str]:
    """Every link of the message that there is, the voice note's first."""
    pictures = [one.url for one in media.images]
    files = [one.url for one in (*media.videos, *media.documents)]
    return [link for link in (media.voice_url, *pictures, *files) if link]


def _files(files: Iterable[File], kind: str) -> list[TurnFile]:
    return [
        TurnFile(
            kind="sticker" if is_sticker(one) else kind, name_untrusted=one.name or "", url=one.url or ""
        )
        for one in files
    ]
